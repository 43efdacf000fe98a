"""From settings to a store, and secrets looked up in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.secret_store.base import SecretMissing, SecretStoreError
from runner.secret_store.stores import BUILTINS, open_secret_store, secrets_of

OWN = """
from runner.secret_store.base import SecretStore

class Own(SecretStore):
    asked = []
    def get(self, name):
        self.asked.append(name)
        return f"{self.settings['greeting']} {name}"

class NoStore: ...
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "own_secret_store.py").write_text(OWN)
    before = list(sys.path)
    yield str(tmp_path)
    sys.path[:] = before
    sys.modules.pop("own_secret_store", None)


def test_no_settings_are_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    assert open_secret_store({}).get("TOKEN") == open_secret_store({"flavor": "env"}).get("TOKEN") == "hush"


def test_every_flavor_opens_without_its_sdk() -> None:
    script = f"""
import sys
before = set(sys.modules)  # an SDK may have a .pth that loads an empty package of its own at every start
from runner.secret_store.stores import open_secret_store
for flavor in {list(BUILTINS)}:
    open_secret_store({{"flavor": flavor, "path": "f", "project": "p", "secret": "s"}})
print([name for name in ("boto3", "google.cloud", "grpc", "requests", "pydantic") if name in set(sys.modules) - before])
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_an_unknown_flavor_has_the_nearest_as_help() -> None:
    with pytest.raises(SecretStoreError, match="unknown secret store flavor 'awss'") as caught:
        open_secret_store({"flavor": "awss"})
    assert "did you mean 'aws'?" in (caught.value.help or "")


def test_a_store_of_ones_own_by_import_path(own: str) -> None:
    assert open_secret_store({"flavor": "own_secret_store:Own", "greeting": "hello"}, own).get("X") == "hello X"


@pytest.mark.parametrize(
    ("name", "said"), [("NoStore", "is no subclass of SecretStore"), ("Nothing", "has no 'Nothing'")]
)
def test_an_import_path_that_leads_to_no_store(own: str, name: str, said: str) -> None:
    with pytest.raises(SecretStoreError, match=said):
        open_secret_store({"flavor": f"own_secret_store:{name}"}, own)


def test_each_secret_is_fetched_once(own: str) -> None:
    secret = secrets_of({"flavor": "own_secret_store:Own", "greeting": "hello"}, own)
    assert [secret("A"), secret("B"), secret("A")] == ["hello A", "hello B", "hello A"]
    assert sys.modules["own_secret_store"].Own.asked == ["A", "B"]


def test_nothing_is_opened_before_a_secret_is_asked_for() -> None:
    secret = secrets_of({"flavor": "no_such_module:Store"})
    with pytest.raises(SecretStoreError, match="there is no module 'no_such_module'"):
        secret("A")


@pytest.mark.parametrize("value", ["1", "ab", "abc"])
def test_a_value_too_short_to_be_masked_is_refused_unseen(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", value)
    with pytest.raises(SecretStoreError, match="secret 'PIN' has fewer than 4 characters") as caught:
        secrets_of({})("PIN")
    assert f"'{value}'" not in f"{caught.value} {caught.value.help}"


def test_an_empty_value_hides_nothing_and_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "")
    assert secrets_of({})("PIN") == ""


def test_a_missing_one_passes_through() -> None:
    assert "NO_SUCH_SECRET" not in os.environ
    with pytest.raises(SecretMissing):
        secrets_of({})("NO_SUCH_SECRET")
