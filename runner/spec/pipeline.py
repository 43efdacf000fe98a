"""A pipeline as declared: its parameters, its steps, and what holds for all of them."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runner.spec.common import Duration, Entrypoint, Environment, Identifier, Integer, Name, Reference, Spec, Strings
from runner.spec.resources import Resources

JsonType = Literal["string", "number", "integer", "boolean", "array", "object", "null"]
Count = Annotated[Integer, Field(ge=0)]


def _written_as(value: Any) -> str:
    """Which member of a union a value was written as, so that it gets that member's one problem, not one of each."""
    match value:
        case bool():
            return "switch"
        case str():
            return "name"
        case list() | tuple():
            return "list"
        case _:
            return "fields"


class Parameter(Spec):
    """One parameter of a pipeline: a JSON Schema. With a `default` it may be left out."""

    type: JsonType | None = Field(None, description="The JSON type of the value.")
    description: str | None = Field(None, description="What it is for.")
    title: str | None = Field(None, description="A short label.")
    default: Any = Field(None, description="The value when none is given.")
    examples: list[Any] | None = Field(None, description="Values as one might give them.")
    enum: Annotated[list[Any], Field(min_length=1)] | None = Field(None, description="The only values allowed.")
    const: Any = Field(None, description="The one value allowed.")
    minimum: float | None = Field(None, description="The least value.")
    maximum: float | None = Field(None, description="The greatest value.")
    exclusiveMinimum: float | None = Field(None, description="Values are greater than this.")
    exclusiveMaximum: float | None = Field(None, description="Values are less than this.")
    multipleOf: Annotated[float, Field(gt=0)] | None = Field(None, description="Values are multiples of this.")
    minLength: Count | None = Field(None, description="The least number of characters.")
    maxLength: Count | None = Field(None, description="The greatest number of characters.")
    pattern: str | None = Field(None, description="A regular expression that the value matches.")
    format: str | None = Field(None, description="A named format, as in date-time; for editors and people.")
    items: "Parameter | None" = Field(None, description="The schema of every element.")
    minItems: Count | None = Field(None, description="The least number of elements.")
    maxItems: Count | None = Field(None, description="The greatest number of elements.")
    uniqueItems: bool | None = Field(None, description="No element twice.")
    properties: "dict[str, Parameter] | None" = Field(None, description="The schema of each key.")
    required: Strings | None = Field(None, description="The keys that must be there.")
    additionalProperties: bool | None = Field(None, description="Whether other keys are allowed.")

    @property
    def optional(self) -> bool:
        """Whether it may be left out: a default was written, `null` included."""
        return "default" in self.model_fields_set


class Retry(Spec):
    """When an attempt fails: how often to try again, and how long to wait. The wait is `delay * backoff**n`."""

    max_retries: Annotated[Integer, Field(ge=0, le=1000)] = Field(3, description="How many further attempts.")
    delay: Duration = Field(1.0, description="The wait before the first retry.", json_schema_extra={"default": "1s"})
    backoff: Annotated[float, Field(ge=1, le=1000)] = Field(
        2.0, description="Each wait is so many times the one before."
    )
    max_delay: Duration = Field(300.0, description="No wait is longer.", json_schema_extra={"default": "5m"})


class CachePolicy(Spec):
    """How long a finished step may answer for a new one."""

    expires_after: Duration = Field(description="Results older than this are computed anew.")


IMAGE_CONFLICTS = {
    "image": ("base", "python", "requirements", "apt", "env", "dockerfile", "context"),
    "dockerfile": ("base", "python"),
    "context": ("base", "python"),
}
"""Keys of `settings.image` that leave no meaning to others."""
IMAGE_DIGESTS = ("requirements_digest", "context_digest")
"""What planning adds to a step's `settings.image`: the digests of what its files say."""
_Filled = Annotated[str, Field(min_length=1)]


class ImageSettings(Spec):
    """Where a step's code runs: the image of a container, or the requirements of an environment."""

    image: _Filled | None = Field(None, description="A ready image, by tag or digest; it is used as it is.")
    base: _Filled | None = Field(
        None, description="The image to start from, which has `python`; python:<version>-slim when left out."
    )
    python: Annotated[str, Field(pattern=r"^[0-9]+([.][0-9]+){0,2}$")] | None = Field(
        None, description="The version of Python, as in '3.11'; this interpreter's when left out."
    )
    requirements: (
        Annotated[Annotated[str, Tag("name")] | Annotated[Strings, Tag("list")], Discriminator(_written_as)] | None
    ) = Field(
        None,
        description="Python packages: a list, the name of a requirements file, or pyproject.toml[extra] for what the "
        "project itself depends on.",
    )
    apt: Strings | None = Field(None, description="Debian packages.")
    env: Environment | None = Field(None, description="Environment variables of the image.")
    dockerfile: _Filled | None = Field(
        None, description="A Dockerfile of your own; requirements and all the rest come on top of what it makes."
    )
    context: _Filled | None = Field(
        None, description="The folder that is sent with it; the project's root when left out."
    )
    code: Literal["baked", "archive"] | None = Field(
        None,
        description="Whether the project's code is in the image or travels beside it, by the artifact store. When left "
        "out: archive, and baked with a Dockerfile of your own.",
    )


ResourcesChoice = Annotated[
    Annotated[Name, Tag("name")] | Annotated[Resources, Tag("fields")], Discriminator(_written_as)
]
CacheChoice = Annotated[
    Annotated[bool, Tag("switch")] | Annotated[CachePolicy, Tag("fields")], Discriminator(_written_as)
]


class Defaults(Spec):
    """What holds for every step that does not say otherwise, field by field."""

    resources: ResourcesChoice | None = Field(None, description="What each step needs.")
    retry: Retry | None = Field(None, description="How failed attempts are tried again.")
    timeout: Duration | None = Field(None, description="How long an attempt may take.")
    cache: CacheChoice | None = Field(None, description="Whether a finished step answers for an equal one.")


class StepSpec(Spec):
    """One step: a plain function, what it is given, and how it is run."""

    entrypoint: Entrypoint = Field(description="The function, `package.module:function`, from the project's root.")
    inputs: dict[Identifier, Reference] = Field({}, description="Argument name → `step` or `step.output`.")
    parameters: dict[Identifier, Any] = Field({}, description="Argument name → value; strings may interpolate.")
    after: Annotated[tuple[Name, ...], Field(strict=False)] = Field((), description="Steps that must finish first.")
    outputs: Annotated[tuple[Identifier, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="Names of several outputs; without them the return value is the one output, `output`."
    )
    resources: ResourcesChoice | None = Field(
        None, description="What it needs, or the name of a `kind: resources` document."
    )
    retry: Retry | None = Field(None, description="How a failed attempt is tried again.")
    timeout: Duration | None = Field(
        None, description="How long an attempt may take before it is killed, children too."
    )
    cache: CacheChoice | None = Field(None, description="true (default), false, or {expires_after: 7d}.")
    environment: Environment = Field({}, description="Environment variables for this step.")
    settings: dict[str, Any] = Field({}, description="Settings per flavor, and `image`.")


class PipelineSpec(Spec):
    """A pipeline, `kind: pipeline`."""

    kind: Literal["pipeline"] = Field(description="What this document declares.")
    name: Name = Field(description="The pipeline's name.")
    description: str | None = Field(None, description="What it does.")
    parameters: dict[Identifier, Parameter] = Field({}, description="What can be set for a run, each a JSON Schema.")
    environment: Environment = Field({}, description="Environment variables for every step.")
    settings: dict[str, Any] = Field({}, description="Settings per flavor, and `image`, for every step.")
    defaults: Defaults = Field(
        default_factory=Defaults, description="What holds for every step that does not say otherwise."
    )
    on_failure: Literal["fail_fast", "continue"] = Field(
        "fail_fast", description="fail_fast stops at the first failure; continue runs all that does not depend on it."
    )
    stack: Name | None = Field(None, description="The stack it runs on when none is named.")
    steps: Annotated[dict[Name, StepSpec], Field(min_length=1)] = Field(
        description="The steps, by name; order has no meaning."
    )


# Words of the language that this version reads but does not carry out yet: refused where they stand.
NOT_YET = {"pipeline": ("schedule",), "step": ("foreach", "when", "expand", "max_parallel")}
