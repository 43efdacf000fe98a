"""What a step elsewhere cannot have, because it is on the machine that starts the run alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.orchestrators.base import Refusal
from runner.orchestrators.container import on_loopback
from runner.plan.deployment import DeployedStep
from runner.plan.secrets import secret_names

HERE = ("env", "file")
"""Secret stores that are on the machine that starts a run."""


def kept_here(
    steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]], place: str, reach: str
) -> Iterator[Refusal]:
    """The secrets that these steps and the artifact store refer to, where the stack keeps them on this machine.

    `place` is what a step runs in, as in "pod"; `reach` a secret store that it reaches, as a stack says it.
    """
    flavor = (components.get("secret_store") or {}).get("flavor", "env")
    if flavor not in HERE:
        return
    where = "environment" if flavor == "env" else "file"
    help = (
        f"{place}s have no part of the {where} that `runner` reads; give the stack one that they reach, as in "
        f"secret_store: {reach}"
    )
    for field, value in (components.get("artifact_store") or {}).items():
        for name in secret_names(value):
            message = (
                f"the artifact store needs the secret '{name}' in each {place}, and the secret store is '{flavor}'"
            )
            yield Refusal(("artifact_store", field), "unreachable-secret", message, help)
    for step in steps:
        for kind, values in (("parameters", step.parameters), ("environment", step.environment)):
            for key, value in values.items():
                for name in secret_names(value):
                    message = f"step '{step.name}' needs the secret '{name}' in its {place}, and the secret store is "
                    path = ("steps", step.name, kind, key)
                    yield Refusal(path, "unreachable-secret", f"{message}'{flavor}'", help)


def on_this_machine(components: Mapping[str, Mapping[str, Any]], place: str, instead: str = "") -> Iterator[Refusal]:
    """The stores at an address that means this machine, and in a `place` that place itself; `instead` is help."""
    for kind, fields in components.items():
        if on_loopback(url := fields.get("endpoint_url")):
            message = f"a {place} cannot reach '{url}': there, this address is the {place}'s own"
            help = f"{instead}write an address that {place}s reach, too"
            yield Refusal((kind, "endpoint_url"), "unreachable-address", message, help)


def of_another_namespace(components: Mapping[str, Mapping[str, Any]], namespace: str) -> Iterator[Refusal]:
    """A Secret that pods of this namespace cannot be given: Kubernetes mounts none of another."""
    store = components.get("secret_store") or {}
    if store.get("flavor") == "kubernetes" and store.get("namespace") not in (None, namespace):
        message = f"pods of the namespace '{namespace}' cannot be given a Secret of '{store['namespace']}'"
        yield Refusal(("secret_store", "namespace"), "unreachable-secret", message, f"make it in '{namespace}'")
