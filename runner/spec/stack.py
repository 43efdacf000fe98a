"""A stack as declared: an orchestrator, and the stores and services beside it."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, create_model

from runner.spec.common import Duration, Environment, Name, Spec
from runner.spec.pipeline import ResourcesChoice, Retry

COMPONENT_KINDS = (
    "orchestrator",
    "artifact_store",
    "container_registry",
    "image_builder",
    "experiment_tracker",
    "secret_store",
)
FLAVOR = "^[A-Za-z_][A-Za-z0-9_.]*(:[A-Za-z_][A-Za-z0-9_]*)?$"
Flavor = Annotated[str, Field(pattern=FLAVOR)]


def _written_as(value: Any) -> str:
    return "name" if isinstance(value, str) else "fields"


# A component in place: its own fields are the flavor's, and are bound by the flavor's Settings.
InPlace = dict[str, Any]
ComponentChoice = Annotated[
    Annotated[Name, Tag("name")] | Annotated[InPlace, Tag("fields")], Discriminator(_written_as)
]


class StackDefaults(Spec):
    """What holds for every step on this stack where neither the step nor its pipeline says otherwise."""

    resources: ResourcesChoice | None = Field(None, description="What each step needs.")
    retry: Retry | None = Field(None, description="How failed attempts are tried again.")
    timeout: Duration | None = Field(None, description="How long an attempt may take.")
    environment: Environment = Field({}, description="Environment variables for every step.")


NO_DEFAULTS = StackDefaults.model_construct()
"""Of a stack that says nothing; made without validation, which would be got ready at every start."""


class StackSpec(Spec):
    """A stack, `kind: stack`. Each component is the name of a declared one, or written in place."""

    kind: Literal["stack"] = Field(description="What this document declares.")
    name: Name = Field(description="The stack's name.")
    description: str | None = Field(None, description="What it is for.")
    orchestrator: ComponentChoice = Field(description="Where steps run.")
    artifact_store: ComponentChoice | None = Field(
        None, description="Where values go; `.runner/artifacts` when left out."
    )
    container_registry: ComponentChoice | None = Field(None, description="Where images are pushed to.")
    image_builder: ComponentChoice | None = Field(
        None, description="What builds images; the local Docker Engine when left out."
    )
    secret_store: ComponentChoice | None = Field(
        None, description="Where `${secrets.NAME}` is looked up; the environment when left out."
    )
    experiment_tracker: ComponentChoice | None = Field(None, description="Where steps log their experiments.")
    defaults: StackDefaults = Field(
        default_factory=StackDefaults,
        description="What holds for every step where neither it nor its pipeline says otherwise.",
    )


class Component(Spec):
    """What every declared component has beside its flavor's own fields."""

    kind: str
    name: Name = Field(description="The component's name.")
    flavor: Flavor = Field(
        description="A built-in flavor, an installed one, or an import path `package.module:ClassName`."
    )


def component_model(kind: str, settings: type[Spec], *, in_place: bool = False) -> type[Spec]:
    """The model of a component document: `kind`, `name` and `flavor`, and the fields of the flavor's Settings.

    Written in place inside a stack, a component has neither `kind` nor `name`.
    """
    flavor = (Flavor, Field(description="Which flavor it is."))
    head: dict[str, Any] = {"flavor": flavor}
    if not in_place:
        head = {
            "kind": (Literal[kind], Field(description="What this document declares.")),
            "name": (Name, Field(description="The component's name.")),
            "flavor": flavor,
        }
    title = "".join(word.capitalize() for word in kind.split("_"))
    return create_model(f"{title}{'InPlace' if in_place else ''}", __base__=settings, __doc__=settings.__doc__, **head)
