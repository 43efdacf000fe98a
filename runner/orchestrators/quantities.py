"""Values as Kubernetes writes them: numbers exact and never less than what was asked for, text as it was written."""

from __future__ import annotations

import math
from fractions import Fraction

LARGEST = 2**63 - 1
"""What a quantity can hold; the API server silently takes this for anything larger."""
LONGEST = 2**31 - 1
"""Seconds that a deadline can have: a whole number of 32 bits."""

_BINARY = (("Ei", 2**60), ("Pi", 2**50), ("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_DECIMAL = (("E", 10**18), ("P", 10**15), ("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))


def cpu(count: float) -> str:
    """Processors in thousandths, the finest that a container can be given: 0.5 is `500m`, 2 is `2`."""
    thousandths = math.ceil(Fraction(str(count)) * 1000)  # of what was written, not of the nearest binary fraction
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def size(count: int) -> str:
    """Bytes, exactly and in few characters: 4294967296 is `4Gi`, 2000000000 is `2G`, 1500 is `1500`."""
    exact = [f"{count // scale}{unit}" for unit, scale in (*_BINARY, *_DECIMAL) if count and count % scale == 0]
    return min([*exact, str(count)], key=len)


def seconds(time: float) -> int:
    """Whole seconds, at least one."""
    return max(1, math.ceil(time))


def verbatim(text: str) -> str:
    """Text that Kubernetes gives to a process as it was: it takes `$(NAME)` for a reference, and `$$` for `$`."""
    return text.replace("$", "$$") if "$$" in text or "$(" in text else text
