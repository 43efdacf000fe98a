"""What a stack may say of Vertex AI, and what is wrong with what it says."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.flavors.vertex.settings import MOST_LABELS, VertexSettings, is_open

PLACE = "project: my-project-123\nlocation: europe-west4\n"


def test_what_is_wrong_is_told_with_an_example(told: Any) -> None:
    found = told(VertexSettings, "project: P\nlocation: europe\npipeline_root: s3://b/c")
    assert [(line, code) for line, code, *_ in found] == [(1, "bad-value"), (2, "bad-value"), (3, "bad-value")]
    assert "as in europe-west4" in found[1][3]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://vertex.example.com", "without encryption"),
        ("http://localhost.example.com:80", "without encryption"),
        ("http://10.0.0.1:8080", "without encryption"),
        ("https://user:secret@a", "is no such address"),
        ("vertex.example.com", "is no such address"),
    ],
)
def test_credentials_are_not_sent_in_the_open(told: Any, url: str, words: str) -> None:
    ((line, code, message, _),) = told(VertexSettings, f"{PLACE}endpoint_url: '{url}'")
    assert (line, code) == (3, "bad-value") and words in message


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2:8080/", "http://[::1]:5", "https://10.0.0.1"])
def test_an_address_of_ones_own_is_taken(told: Any, url: str) -> None:
    assert told(VertexSettings, f"{PLACE}endpoint_url: '{url}'") == []
    assert is_open(url) is url.startswith("http:") and not is_open(None)


def test_labels_of_runners_own_cannot_be_set(told: Any) -> None:
    ((line, code, message, _),) = told(VertexSettings, PLACE + "labels: {runner_run_id: x}")
    assert (line, code) == (3, "set-by-runner") and "'runner_'" in message


def test_google_takes_so_many_labels_and_no_more(told: Any) -> None:
    labels = ", ".join(f"a{number}: b" for number in range(MOST_LABELS))
    assert told(VertexSettings, f"{PLACE}labels: {{{labels}}}") == []
    ((_, code, message, _),) = told(VertexSettings, f"{PLACE}labels: {{{labels}, c: d}}")
    assert code == "out-of-range" and f"{MOST_LABELS + 1} labels" in message
