"""Flavors as tables, from what they declare: who does what, what each is like, and the settings of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.report.words import WIDTH, pairs, table

WORDS = {"native": "native", "worker": "worker", "controller": "runner", "no": "no"}
LATER = "later"
LEGEND = {
    "native": "the engine itself does it",
    "worker": "runner does it in the step's own process",
    "runner": "runner does it, walking the steps",
    "later": "this version of runner does not carry it out yet, on any flavor",
    "no": "it cannot be had: refused at its position before anything starts",
}
_TRAITS = {"setup": "set-up", "scale": "scale", "cost": "cost", "monitoring": "monitoring"}

Facts = Mapping[str, Any]


def flavors_text(flavors: Mapping[str, Facts]) -> str:
    """A column a flavor with what it can do, then a line a flavor with what it is like."""
    capabilities = list(next(iter(flavors.values()))["capabilities"])
    rows = [(name, *(_word(facts, name) for facts in flavors.values())) for name in capabilities]
    words = {word for _, *cells in rows for word in cells}
    legend = "\n".join(f"  {word:<6}  {meaning}" for word, meaning in LEGEND.items() if word in words)
    likes = [(name, _runs(facts), *(facts["traits"][key] for key in _TRAITS)) for name, facts in flavors.items()]
    parts = [
        table(("", *flavors), rows, width=1_000),
        legend,
        table(("flavor", "runs", *_TRAITS.values()), likes, width=1_000),
    ]
    if any(not facts["available"] for facts in flavors.values()):
        parts.append("not yet: `validate` and `plan` know it; running on it comes with a later version")
    return "\n\n".join(parts)


def flavor_text(name: str, facts: Facts, width: int = WIDTH) -> str:
    """One flavor: what it is, its settings in a stack, those of a step, and what it can do."""
    parts = [f"{name}: {facts['help']}"]
    if not facts["available"]:
        verbs = "`validate`, `plan` and `compile`" if facts["compiles"] else "`validate` and `plan`"
        parts.append(f"this version of runner cannot run anything on it yet; {verbs} know it")
    for title, key in (("its settings in a stack", "settings"), (f"settings.{name} of a step", "step_settings")):
        if facts[key]:
            parts.append("\n".join([title, *_fields(facts[key], width)]))
    can = [(capability, _by(facts, capability)) for capability in facts["capabilities"]]
    parts.append("what it can do, and who does it\n" + table(("capability", "by"), can))
    likes = [(word, facts["traits"][key]) for key, word in _TRAITS.items()]
    parts.append("what it is like\n" + pairs(dict(likes)))
    return "\n\n".join(parts)


def _fields(fields: Mapping[str, Facts], width: int) -> Iterator[str]:
    head = ("name", "type", "default", "meaning")
    rows = [(name, str(about["type"]), _default(about), about.get("description", "")) for name, about in fields.items()]
    required_first = sorted(rows, key=lambda row: row[2] != "required")
    yield table(head, required_first, width=width, gives_way=("meaning", "type"))


def _default(about: Facts) -> str:
    if about["required"]:
        return "required"
    value = about.get("default")
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value in (None, "", [], {}) else str(value)


def _runs(facts: Facts) -> str:
    return "now" if facts["available"] else "not yet"


def _word(facts: Facts, capability: str) -> str:
    word = WORDS[facts["capabilities"][capability]]
    return LATER if capability in facts["not_yet"] and word != "no" else word


def _by(facts: Facts, capability: str) -> str:
    if _word(facts, capability) == LATER:
        return "not supported yet"
    return _BY[facts["capabilities"][capability]]


_BY = {
    "native": "the engine",
    "worker": "the step's own process",
    "controller": "runner",
    "no": "not supported",
}
