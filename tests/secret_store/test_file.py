"""Secrets in a file: what it may say, and who may read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.secret_store.base import SecretMissing, SecretStoreError
from runner.secret_store.file import FileSecretStore, parse


def written(folder: Path, text: str | bytes, mode: int = 0o600) -> FileSecretStore:
    path = folder / "secrets"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return FileSecretStore({"path": "secrets"}, str(folder))


def refusal(store: FileSecretStore) -> tuple[str, str]:
    with pytest.raises(SecretStoreError) as caught:
        store.get("TOKEN")
    return caught.value.message, caught.value.help or ""


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("TOKEN=hush", "hush"),
        ("TOKEN = hush hush \n", "hush hush"),
        ("export TOKEN=hush\r\nB=1\r\n", "hush"),
        ("# all of it\n\n  \nTOKEN=a=b#c \"d\" 'e'\n", "a=b#c \"d\" 'e'"),
        ("TOKEN=' two \nlines\\n'\n", " two \nlines\\n"),
        ('TOKEN="a \\"b\\" \\\\ \\n\\t$c"  # more\n', 'a "b" \\ \n\t$c'),
        ('TOKEN="two\nlines"\nB=1', "two\nlines"),
        ("TOKEN=\nB=1", ""),
        ("TOKEN=''", ""),
        ("\ufeffTOKEN=grün", "grün"),
    ],
)
def test_what_a_value_may_be(line: str, value: str) -> None:
    assert parse(line, "f")["TOKEN"] == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nhush-hush\n", "line 2 of the secret store 'f' is no NAME=value"),
        ("A=1\n\n2B=hush-hush", "line 3 of the secret store 'f' is no NAME=value"),
        ("A=hush-hush\nB=1\nA=hush-hush", "line 3 of the secret store 'f' sets 'A' a second time"),
        ("A='hush-hush\nB=1\n", "line 1 of the secret store 'f' opens a ' that is never closed"),
        ('A="x\n"\nB="hush-hush', "line 3 of the secret store 'f' opens a \" that is never closed"),
        ("A='hush'-hush", "line 1 of the secret store 'f' goes on after the closing quote"),
    ],
)
def test_what_is_wrong_is_told_by_its_line_alone(text: str, said: str) -> None:
    with pytest.raises(SecretStoreError) as caught:
        parse(text, "f")
    assert caught.value.message == said
    assert "hush" not in f"{caught.value} {caught.value.help}"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_its_owner_alone_may_read_it(tmp_path: Path, mode: int) -> None:
    assert written(tmp_path, "TOKEN=hush", mode).get("TOKEN") == "hush"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o700])
def test_a_file_that_others_can_read_is_refused_with_the_command(tmp_path: Path, mode: int) -> None:
    message, help = refusal(written(tmp_path, "TOKEN=hush", mode))
    assert f"has mode {mode:04o}: a file of secrets must be readable by its owner alone" in message
    assert help == f"run: chmod 600 {tmp_path}/secrets"


def test_somebody_elses_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = written(tmp_path, "TOKEN=hush")
    if os.geteuid() == 0:
        os.chown(tmp_path / "secrets", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    message, help = refusal(store)
    assert "belongs to user" in message and help.startswith("make it your own: chown ")


def test_a_link_is_judged_by_the_file_it_leads_to(tmp_path: Path) -> None:
    written(tmp_path, "TOKEN=hush", 0o644)
    (tmp_path / "link").symlink_to("secrets")
    assert "has mode 0644" in refusal(FileSecretStore({"path": "link"}, str(tmp_path)))[0]


def test_no_file(tmp_path: Path) -> None:
    message, help = refusal(FileSecretStore({"path": "no/such"}, str(tmp_path)))
    assert message == f"the secret store '{tmp_path}/no/such' cannot be read: No such file or directory"
    assert help == "make it, with mode 0600"


def test_a_folder_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("folder", "pipe"):
        message, _ = refusal(FileSecretStore({"path": name}, str(tmp_path)))
        assert message.endswith(f"{name}' is no file")


def test_what_is_no_text(tmp_path: Path) -> None:
    assert "is no text in UTF-8" in refusal(written(tmp_path, b"TOKEN=\xff\xfe"))[0]


def test_a_missing_secret_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing) as caught:
        written(tmp_path, "OTHER=hush").get("TOKEN")
    assert (
        caught.value.message
        == f"secret 'TOKEN' is not set: the secret store is '{tmp_path}/secrets', which has no TOKEN"
    )


def test_the_file_is_read_once(tmp_path: Path) -> None:
    store = written(tmp_path, "TOKEN=hush\nB=other")
    store.get("TOKEN")
    (tmp_path / "secrets").unlink()
    assert store.get("B") == "other"
