"""What the settings of several flavors share: names, addresses, tolerations, rules about two fields or machines."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from runner.orchestrators.base import Refusal
from runner.plan.deployment import DeployedStep
from runner.spec.common import Integer, Spec, rule

_LABEL = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"

LABEL_VALUE = re.compile(f"({_LABEL})?")
"""The value of a label in Kubernetes."""


def _label(pattern: str, what: str, more: str) -> Any:
    """Text of this form, told in words: what a regular expression says of labels nobody reads."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            help = "letters, digits, '-', '_' and '.', at most 63, a letter or digit first and last"
            raise rule("bad-label", f"'{value}' cannot be {what} in Kubernetes", f"{help}; {more}")
        return value

    return Annotated[str, BeforeValidator(check), WithJsonSchema({"type": "string", "pattern": pattern})]


Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, Field(pattern="^https?://[^/ ]+[^ ]*$")]
Namespace = Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A name as DNS takes one label: what Kubernetes calls its namespaces."""
Object = Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""The name of an object of Kubernetes: what DNS takes."""
ServiceAccount = Object
LabelKey = _label(
    f"^([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL}$",
    "the name of a label",
    "a domain and '/' may stand before it",
)
LabelValue = _label(f"^({_LABEL})?$", "the value of a label", "it may be empty")
Labels = dict[LabelKey, LabelValue]  # type: ignore[valid-type]
Annotations = dict[LabelKey, str]  # type: ignore[valid-type]
MaxParallel = Annotated[Integer, Field(ge=1, le=10_000)]


class Toleration(Spec):
    """A taint of nodes that a pod may run in spite of; the fields are those of Kubernetes."""

    key: Text | None = Field(None, description="The taint's key; every key when left out, with operator Exists.")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="How the value is compared.")
    value: str | None = Field(None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The effect that is tolerated; every effect when left out."
    )
    tolerationSeconds: Annotated[Integer, Field(ge=0)] | None = Field(
        None, description="How many seconds a pod stays once NoExecute holds."
    )


Tolerations = Annotated[tuple[Toleration, ...], Field(strict=False)]


# -- the rules of models once more, for the JSON Schema that editors use -----------------------------------------------

INTERPOLATION = {"type": "string", "pattern": r"\$\{"}


def given(*fields: str) -> Any:
    """These fields are there and say something."""
    return {"required": list(fields), "properties": {field: {"not": {"type": "null"}} for field in fields}}


def at_least_one(*fields: str) -> Any:
    """One of these fields is needed."""
    return {"anyOf": [given(field) for field in fields]}


def together(first: str, second: str) -> Any:
    """Both of these fields, or none of them."""
    return [{"if": given(first), "then": given(second)}, {"if": given(second), "then": given(first)}]


# -- refusals that flavors of whole machines share ---------------------------------------------------------------------


def parts_of_a_machine(step: DeployedStep, flavor: str) -> Iterator[Refusal]:
    """A part of a processor, where an engine gives whole machines."""
    count = step.resources.get("cpu_count")
    if count is not None and count != int(count):
        yield Refusal(
            ("steps", step.name, "resources", "cpu_count"),
            "cannot-honour",
            f"step '{step.name}' sets cpu_count {count:g}, and flavor '{flavor}' gives machines with whole processors",
            f"ask for {int(count) + 1}",
        )


def said_twice(step: DeployedStep, flavor: str, field: str) -> Iterator[Refusal]:
    """Resources of a step that also names its machine: one of the two would be dropped."""
    machine = step.settings.get(field)
    for name in ("cpu_count", "memory", "gpu_count", "gpu_type") if machine else ():
        if step.resources.get(name):
            yield Refusal(
                ("steps", step.name, "resources", name),
                "said-twice",
                f"step '{step.name}' sets {name} beside settings.{flavor}.{field} '{machine}', which fixes it",
                "leave one of them out",
            )
