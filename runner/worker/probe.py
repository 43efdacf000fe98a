"""`python -m runner.worker.probe ARTIFACT_STORE [SECRET_STORE]`: does a stack's artifact store open where this runs?

Both are flavor and fields as JSON, secrets as references. Prints one line, a Check as JSON, without any secret's value.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from runner.artifact_store.stores import open_store
from runner.artifact_store.trial import NAME, tried
from runner.checks import Check
from runner.errors import EngineError, RunnerError
from runner.worker.secrets import Resolver

SECONDS = 30.0  # clients of stores try again for longer than anybody wants to wait here


def main(arguments: list[str]) -> int:
    """Exit code 0 when it opens, 5 when not."""
    settings = [json.loads(text) for text in arguments] + [{}]
    resolver, found = Resolver(settings=settings[1]), list[Check]()
    thread = threading.Thread(target=lambda: found.append(_check(settings[0], resolver)), daemon=True)
    thread.start()
    thread.join(SECONDS)
    told = f"{settings[0].get('path', '')}: no answer within {SECONDS:g} s"
    check = (found or [Check(NAME, False, told, "can it be reached from where this runs?")])[0]
    print(resolver.mask(json.dumps(check._asdict())), flush=True)
    return 0 if check.ok else EngineError.exit_code


def _check(settings: dict[str, object], resolver: Resolver) -> Check:
    try:
        return tried(open_store(settings, resolver.secret), settings)
    except RunnerError as error:
        return Check(NAME, False, error.message, error.help)
    except Exception as error:  # what an SDK lets through
        return Check(NAME, False, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    code = main(sys.argv[1:])
    os._exit(code)  # whatever still waits for the store
