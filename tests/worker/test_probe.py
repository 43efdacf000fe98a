"""`python -m runner.worker.probe`: whether a store opens where it runs, as one line of JSON and without secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LOGIN = {"access_key_id": "${secrets.STORE_ID}", "secret_access_key": "${secrets.STORE_KEY}"}


def probed(store: dict[str, Any], *more: dict[str, Any], **environ: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "runner.worker.probe", *(json.dumps(each) for each in (store, *more))]
    done = subprocess.run(command, text=True, capture_output=True, env={**os.environ, **environ})
    return done.returncode, json.loads(done.stdout)


def test_a_store_that_can_be_used(s3_settings: dict[str, Any]) -> None:
    code, check = probed(s3_settings | LOGIN, STORE_ID="an-id", STORE_KEY="a-long-key")
    assert (code, check["ok"]) == (0, True) and "wrote, read and deleted an object" in check["told"]


def test_a_store_that_nobody_serves() -> None:
    store = {"flavor": "s3", "path": "s3://bucket/p", "endpoint_url": "http://127.0.0.1:1", "region": "us-east-1"}
    code, check = probed(store | LOGIN, STORE_ID="an-id", STORE_KEY="a-long-key")
    assert (code, check["ok"]) == (5, False) and "127.0.0.1:1" in check["told"] and check["help"]


def test_a_secret_that_is_not_there_is_named(s3_settings: dict[str, Any]) -> None:
    _, check = probed(s3_settings | {"access_key_id": "${secrets.NO_SUCH}", "secret_access_key": "${secrets.NO_SUCH}"})
    assert not check["ok"] and "NO_SUCH" in check["told"]


def test_the_secret_store_is_the_one_that_it_is_told(s3_settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("STORE_ID=an-id\nSTORE_KEY=a-long-key\n")
    (tmp_path / "secrets.env").chmod(0o600)
    code, _ = probed(s3_settings | LOGIN, {"flavor": "file", "path": str(tmp_path / "secrets.env")})
    assert code == 0


def test_a_mistake_in_a_store_is_told_without_a_traceback() -> None:
    code, check = probed({"flavor": "no:such"})
    assert code == 5 and "Traceback" not in check["told"]
