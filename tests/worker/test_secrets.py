"""References filled in, and secrets' values kept out of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.plan.deployment import StepJob
from runner.secret_store.base import SecretMissing, SecretStoreError
from runner.worker.secrets import Resolver


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    monkeypatch.setenv("TOKEN", "hush")
    monkeypatch.setenv("LONG", "hush-hush")
    monkeypatch.setenv("EMPTY", "")
    return Resolver("r1")


def job(folder: Path, **fields: object) -> StepJob:
    return StepJob("r2", "a", 1, "m:f", {}, {}, (), {}, {}, str(folder), secret_store=fields)


def test_references_anywhere_in_a_value(resolver: Resolver) -> None:
    value = {"a": ["Bearer ${secrets.TOKEN}", 1, None], "b": {"c": "${run.id}"}}
    assert resolver.fill(value) == {"a": ["Bearer hush", 1, None], "b": {"c": "r1"}}


def test_what_is_no_reference_stays(resolver: Resolver) -> None:
    for text in ("plain", "${HOME}", "${secrets.}", "${env.X}", "$ {run.id}"):
        assert resolver.fill(text) == text


def test_of_several_dollars_one_is_taken_away(resolver: Resolver) -> None:
    assert resolver.fill("$${run.id}") == "${run.id}"
    assert resolver.fill("$$${secrets.TOKEN}") == "$${secrets.TOKEN}"
    assert resolver.secrets == set()


def test_the_value_that_was_given_is_not_changed(resolver: Resolver) -> None:
    given = {"a": ["${run.id}"]}
    resolver.fill(given)
    assert given == {"a": ["${run.id}"]}


def test_the_value_of_a_secret_is_not_looked_into(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "${run.id}")
    assert resolver.fill("${secrets.TOKEN}") == "${run.id}"


def test_a_missing_secret_names_where_it_was_looked_for(resolver: Resolver) -> None:
    with pytest.raises(SecretMissing, match="'NO_SUCH' is not set: the secret store is the environment"):
        resolver.fill("${secrets.NO_SUCH}")


def test_the_longest_value_is_masked_first(resolver: Resolver) -> None:
    resolver.fill("${secrets.TOKEN} ${secrets.LONG}")
    assert resolver.mask("it is hush-hush, or hush") == "it is ***, or ***"


def test_an_empty_secret_masks_nothing(resolver: Resolver) -> None:
    assert resolver.fill("<${secrets.EMPTY}>") == "<>"
    assert resolver.mask("text") == "text"


def test_a_value_too_short_to_be_masked_is_refused(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "123")
    with pytest.raises(SecretStoreError, match="secret 'PIN' has fewer than 4 characters"):
        resolver.fill("${secrets.PIN}")


def test_someone_may_listen_for_secrets(resolver: Resolver) -> None:
    heard: list[set[str]] = []
    resolver.on_secret = lambda: heard.append(set(resolver.secrets))
    resolver.fill(["${run.id}", "${secrets.TOKEN}", "${secrets.EMPTY}", "${secrets.TOKEN}"])
    assert heard == [{"hush"}]


def test_a_job_says_where_its_secrets_are(resolver: Resolver, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("TOKEN=from the file\n")
    (tmp_path / "own").chmod(0o600)
    resolver.fill("${secrets.TOKEN}")
    resolver.begin(job(tmp_path, flavor="file", path="own"))
    assert resolver.fill("${run.id}: ${secrets.TOKEN}") == "r2: from the file"
    assert resolver.mask("hush, from the file") == "***, ***"


def test_what_was_fetched_is_kept_for_the_next_job_of_the_same_store(resolver: Resolver, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("TOKEN=from the file\n")
    (tmp_path / "own").chmod(0o600)
    resolver.begin(job(tmp_path, flavor="file", path="own")).secret("TOKEN")
    (tmp_path / "own").unlink()
    assert resolver.begin(job(tmp_path, flavor="file", path="own")).secret("TOKEN") == "from the file"
