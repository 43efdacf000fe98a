"""What makes two executions of a step equal: digests of its parts, and the key under which its result is kept.

Standard library only, and little of it: every worker loads this file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

PARTS = ("code", "parameters", "outputs", "environment", "image")
"""The parts of a fingerprint that are known before anything runs, in the order in which people are told of them."""

# Bump it when keys of equal parts must differ from those of older versions.
_VERSION = 1

# Values that JSON cannot say (a date of a TOML document) stand there as their repr: two that differ stay different.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=lambda value: ["repr", repr(value)]).encode


def part(value: Any) -> str:
    """The SHA-256 of a JSON value, in hex. `1` and `1.0` differ; the order of keys does not count."""
    return hashlib.sha256(_encode(value).encode()).hexdigest()


def cache_key(fingerprint: Mapping[str, str], inputs: Mapping[str, str]) -> str:
    """The key of a step's result: SHA-256, in hex, over its fingerprint and its inputs' digests by argument.

    It is `part({"version": 1, "fingerprint": {part: digest}, "inputs": {argument: digest}})`: the step's name, its
    resources, its retries and the engine that runs it do not count.
    """
    return part({"version": _VERSION, "fingerprint": dict(fingerprint), "inputs": dict(inputs)})
