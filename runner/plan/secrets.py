"""References to secrets in plain values, and the variables by which pods are handed secrets. Workers load this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REFERENCE = re.compile(r"(\$+)\{(?:(secrets)\.([A-Za-z_][A-Za-z0-9_]*)|run\.id)\}")
"""What is resolved where a step runs. One `$` is a reference; of several one is taken away, and the rest is text."""

VARIABLE = "RUNNER_SECRET_"
"""Stands before a secret's name in the variable by which a pod gets it: `secretKeyRef` to the Secret's key NAME."""


def secret_names(value: Any) -> list[str]:
    """The names of the secrets that a JSON value refers to, each once, in the order in which they stand there."""
    return list(dict.fromkeys(_names(value)))


def secret_variable(name: str) -> str:
    """The environment variable that holds a secret in a pod of the kubernetes flavor."""
    return VARIABLE + name


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [name for dollars, _, name in REFERENCE.findall(value) if name and len(dollars) == 1]
    if isinstance(value, Mapping):
        return [name for member in value.values() for name in _names(member)]
    if isinstance(value, list | tuple):
        return [name for element in value for name in _names(element)]
    return []
