"""What flavors and stores need beside the core: integration → the extra of our own package → distributions, modules.

The table says which integration a component needs and which module of each distribution must import. Distributions
and their bounds are read from the metadata of our own installed package, whose extras have the integrations' names.
Standard library only at module level: stores name the commands of this file in their errors, and workers load stores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.checks import Check
from runner.errors import EngineError, UsageError, nearest

DISTRIBUTION = "stack-runner"
ALL = "all"
MISSING, OK, TOO_OLD = "missing", "ok", "too old"
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


class Integration(NamedTuple):
    """What one SDK is for, and how to see that it works: distribution → the module that must import."""

    serves: tuple[tuple[str, str], ...]
    modules: Mapping[str, str]


class Needed(NamedTuple):
    """A distribution that an integration needs. `bounds` are those of our package; `installed` its version, or None."""

    distribution: str
    bounds: str
    module: str
    installed: str | None
    state: str

    @property
    def requirement(self) -> str:
        return self.distribution + self.bounds


INTEGRATIONS: Mapping[str, Integration] = {
    "docker": Integration((("orchestrator", "local_docker"),), {"docker": "docker"}),
    "kubernetes": Integration((("orchestrator", "kubernetes"),), {"kubernetes": "kubernetes.client"}),
    "kubeflow": Integration(
        (("orchestrator", "kubeflow"),), {"kfp-server-api": "kfp_server_api", "kubernetes": "kubernetes.client"}
    ),
    "airflow": Integration((("orchestrator", "airflow"),), {"requests": "requests"}),
    "vertex": Integration((("orchestrator", "vertex"),), {"google-cloud-aiplatform": "google.cloud.aiplatform_v1"}),
    "sagemaker": Integration((("orchestrator", "sagemaker"),), {"boto3": "boto3"}),
    "azureml": Integration(
        (("orchestrator", "azureml"),), {"azure-ai-ml": "azure.ai.ml", "azure-identity": "azure.identity"}
    ),
    "databricks": Integration((("orchestrator", "databricks"),), {"databricks-sdk": "databricks.sdk"}),
    "s3": Integration((("artifact_store", "s3"),), {"obstore": "obstore"}),
    "gcs": Integration((("artifact_store", "gcs"),), {"gcsfs": "gcsfs"}),
    "azure": Integration((("artifact_store", "azure"),), {"adlfs": "adlfs"}),
    "aws-login": Integration((("artifact_store", "s3"),), {"botocore": "botocore"}),
    "aws-secrets": Integration((("secret_store", "aws"),), {"boto3": "boto3"}),
    "gcp-secrets": Integration(
        (("secret_store", "gcp"),), {"google-cloud-secret-manager": "google.cloud.secretmanager_v1"}
    ),
    "ecr": Integration((("container_registry", "ecr"),), {"boto3": "boto3"}),
    "gar": Integration((("container_registry", "gar"),), {"google-auth": "google.auth", "requests": "requests"}),
    "acr": Integration((("container_registry", "acr"),), {"azure-identity": "azure.identity"}),
}


def command(*names: str) -> str:
    """The command that installs integrations, for errors."""
    return f"runner integrations install {' '.join(names)}"


def integration_of(kind: str, flavor: str) -> str | None:
    """The integration that a component of this kind and flavor needs; None for those that need the core only."""
    return next((name for name, each in INTEGRATIONS.items() if (kind, flavor) in each.serves), None)


def chosen(names: Iterable[str]) -> list[str]:
    """These integrations, each once; `all` is every one. Raises UsageError for a name that is none."""
    found: dict[str, None] = {}
    for name in names:
        if name != ALL and name not in INTEGRATIONS:
            guess = nearest(name, [*INTEGRATIONS, ALL])
            help = (f"did you mean '{guess}'? " if guess else "") + f"known: {', '.join(INTEGRATIONS)}"
            raise UsageError(f"there is no integration '{name}'", help)
        found |= dict.fromkeys(INTEGRATIONS if name == ALL else [name])
    return list(found)


def needed(name: str) -> list[Needed]:
    """The distributions of an integration, and what of them is installed. Nothing is imported.

    Raises EngineError when our own metadata does not say.
    """
    modules = INTEGRATIONS[name].modules
    extras = _declared().get(name, [])
    if {requirement for requirement, _ in extras} != set(modules):
        raise EngineError(
            f"the installed metadata of '{DISTRIBUTION}' does not fit this version of runner: it says nothing else of "
            f"the extra '{name}' than {', '.join(map(''.join, extras)) or 'that there is none'}",
            "install runner anew, in a checkout: pip install -e .",
        )
    return [_needed(distribution, bounds, modules[distribution]) for distribution, bounds in extras]


def core() -> list[Needed]:
    """The distributions that runner itself needs. `module` is empty."""
    return [_needed(distribution, bounds, "") for distribution, bounds in _declared()[""]]


def sdk(name: str) -> Check:
    """Whether what an integration needs is installed, in versions that are new enough. Nothing is imported."""
    try:
        found = needed(name)
    except EngineError as error:
        return Check("SDK", False, error.message, error.help)
    told = ", ".join(f"{each.distribution} {each.installed or MISSING}" for each in found)
    lacking = [f"'{each.requirement}' is {each.state}" for each in found if each.state != OK]
    if lacking:
        return Check("SDK", False, ", ".join(lacking), f"install it: {command(name)}")
    return Check("SDK", True, told)


def _needed(distribution: str, bounds: str, module: str) -> Needed:
    from importlib import metadata  # takes as long to load as many a command

    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return Needed(distribution, bounds, module, None, MISSING)
    from packaging.specifiers import SpecifierSet

    state = OK if SpecifierSet(bounds).contains(version, prereleases=True) else TOO_OLD
    return Needed(distribution, bounds, module, version, state)


def _declared() -> dict[str, list[tuple[str, str]]]:
    """Extra → the distributions and bounds that our package declares for it; those of the core under ``."""
    from importlib import metadata

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise EngineError(
            f"'{DISTRIBUTION}' is not installed as a package, so that nothing says what its integrations need",
            "install it; in a checkout: pip install -e .",
        ) from error
    from packaging.requirements import Requirement

    found: dict[str, list[tuple[str, str]]] = {"": []}
    for requirement in map(Requirement, lines):
        extra = _EXTRA.search(str(requirement.marker or ""))
        name = extra[1].replace("_", "-") if extra else ""
        found.setdefault(name, []).append((requirement.name, str(requirement.specifier)))
    return found
