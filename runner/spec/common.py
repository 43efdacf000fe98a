"""The words that every document shares: names, durations, sizes of memory, and the model that specs are made of."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

NAME = "^[A-Za-z][A-Za-z0-9_-]{0,62}$"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$"
ENTRYPOINT = "^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
REFERENCE = "^[A-Za-z][A-Za-z0-9_-]{0,62}([.][A-Za-z_][A-Za-z0-9_]*)?$"
MEMORY = "^[0-9]{1,12}([.][0-9]{1,6})?(B|KB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|PiB)$"
SECRET_REFERENCE = r"^\$\{secrets[.][A-Za-z_][A-Za-z0-9_]*\}$"  # noqa: S105  (what one looks like, not one)
DURATION = (
    "^(?=[0-9])([0-9]{1,9}([.][0-9]{1,6})?d)?([0-9]{1,9}([.][0-9]{1,6})?h)?"
    "([0-9]{1,9}([.][0-9]{1,6})?m)?([0-9]{1,9}([.][0-9]{1,6})?s)?$"
)

_BYTES: dict[str, int] = {"B": 1}
_BYTES |= {f"{prefix}B": 1000**power for power, prefix in enumerate("KMGTP", 1)}
_BYTES |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", 1)}
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


class Spec(BaseModel):
    """A frozen value that a document is bound to. Unknown keys and values of another type are refused."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=False
    )


def rule(code: str, message: str, help: str, key: str = "") -> PydanticCustomError:
    """What a model's own validator raises: told to the user in these words, at `key` or at the mapping itself.

    For what no single field can tell, as in "one of these two is needed".
    """
    return PydanticCustomError("rule", "{message}", {"code": code, "message": message, "help": help, "key": key})


def parse_memory(text: str) -> int:
    """Bytes of `512MiB`, `8GB`, `1.5GiB`: KB is 1000 bytes, KiB is 1024. Raises ValueError for anything else."""
    if not re.fullmatch(MEMORY.strip("^$"), text):
        raise ValueError(text)
    number = text.rstrip("KMGTPiB")
    scale: int = _BYTES[text[len(number) :]]
    return round(float(number) * scale)


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `10m`, `1h30m`, `7d`. Raises ValueError for anything else."""
    if not re.fullmatch(DURATION.strip("^$"), text):
        raise ValueError(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([dhms])", text))


def format_memory(size: int) -> str:
    """The shortest text that `parse_memory` reads back as this many bytes: 2000000000 is `2GB`."""
    for unit, scale in sorted(_BYTES.items(), key=lambda item: -item[1]):
        if size and size % scale == 0:
            return f"{size // scale}{unit}"
    return f"{size}B"


def format_duration(seconds: float) -> str:
    """Text that `parse_duration` reads back: 5400 is `1h30m`."""
    rest, parts = seconds, []
    for unit in ("d", "h", "m"):
        count, rest = divmod(rest, _SECONDS[unit])
        if count:
            parts.append(f"{int(count)}{unit}")
    if rest or not parts:
        parts.append(f"{rest:.6f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def _memory(value: Any) -> int:
    if isinstance(value, str):
        try:
            return parse_memory(value)
        except ValueError:
            pass
    raise PydanticCustomError("memory", "not a size of memory: write a number and its unit, as in '512MiB' or '8GB'")


def _duration(value: Any) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    raise PydanticCustomError(
        "duration", "not a duration: write a number and its unit, as in '90s', '10m', '1h30m' or '7d'"
    )


def _secret(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(SECRET_REFERENCE, value):
        return value
    raise PydanticCustomError(
        "secret", "not a reference to a secret: write '${{secrets.NAME}}', never the value itself"
    )


def _integral(value: Any) -> Any:
    # JSON Schema's `integer` takes 2.0, and so do we.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name = Annotated[str, Field(pattern=NAME)]
"""A pipeline's, step's, stack's or component's name."""
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
"""A Python argument's or an output's name."""
Entrypoint = Annotated[str, Field(pattern=ENTRYPOINT)]
"""`package.module:function`, resolved from the project's root."""
Reference = Annotated[str, Field(pattern=REFERENCE)]
"""`step` or `step.output`."""
Memory = Annotated[int, BeforeValidator(_memory), WithJsonSchema({"type": "string", "pattern": MEMORY})]
"""A size in bytes, written `512MiB`, `8GB`, `1.5GiB`."""
Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION})]
"""A time in seconds, written `90s`, `10m`, `1h30m`, `7d`."""
SecretReference = Annotated[
    str, BeforeValidator(_secret), WithJsonSchema({"type": "string", "pattern": SECRET_REFERENCE})
]
"""`${secrets.NAME}` and nothing else: the value itself never stands in a document."""
Integer = Annotated[int, BeforeValidator(_integral)]
Strings = Annotated[tuple[str, ...], Field(strict=False)]
Environment = dict[Identifier, str]
"""Environment variables; values are strings, so that `on` and `1` are what was written."""
