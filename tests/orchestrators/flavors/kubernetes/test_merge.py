"""How a step's `pod` is merged over runner's own."""

from __future__ import annotations

from typing import Any

from runner.orchestrators.flavors.kubernetes.merge import merged_pod

OURS: dict[str, Any] = {
    "securityContext": {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    "tolerations": [{"key": "a"}],
    "containers": [{"name": "step", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}],
}


def test_mappings_are_merged_and_theirs_wins() -> None:
    made = merged_pod(OURS, {"securityContext": {"runAsUser": 7, "fsGroup": 8}})
    assert made["securityContext"] == {"runAsUser": 7, "seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 8}


def test_null_takes_a_field_away() -> None:
    made = merged_pod(OURS, {"securityContext": {"runAsUser": None, "seccompProfile": None}, "hostname": None})
    assert made["securityContext"] == {} and "hostname" not in made


def test_lists_are_joined() -> None:
    assert merged_pod(OURS, {"tolerations": [{"key": "a"}]})["tolerations"] == [{"key": "a"}, {"key": "a"}]


def test_entries_of_one_name_are_one() -> None:
    made = merged_pod(OURS, {"containers": [{"env": [{"name": "A", "value": "9"}]}]})
    assert made["containers"] == [{"name": "step", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "9"}]}]


def test_nothing_given_is_changed() -> None:
    before = repr(OURS)
    merged_pod(OURS, {"containers": [{"env": [{"name": "A"}], "tty": True}], "tolerations": [{"key": "b"}]})
    assert repr(OURS) == before
