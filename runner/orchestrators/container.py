"""One attempt as a container: image, command, environment, labels, names. Pure; shared by the flavors that run images.

    made = container_of(deployment, step, job, mark)

is everything about it that does not depend on whose containers they are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from runner.orchestrators.threads import thread_variables
from runner.orchestrators.worker import command_of
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.plan.secrets import secret_names

RUN_ID, PIPELINE, STEP, ATTEMPT = "runner/run-id", "runner/pipeline", "runner/step", "runner/attempt"
MARK, FOLDER = "runner/mark", "runner/folder"
"""Labels. The mark tells runs of one id in different artifact stores apart; the folder is the project's state, by whose
locks one sees whether a run is still going."""

LONGEST = 63  # characters of a name: what DNS takes, and with it Docker and Kubernetes
IN_THE_IMAGE = {"folder": "."}  # the project's code: in the folder that containers of the image start in
PYTHON = "python"  # as every image with Python has it on its path
LOOPBACK = ("localhost", "127.", "::1", "0.0.0.0")  # noqa: S104  (addresses to recognise, none is listened on)

# What the SDKs of stores read from the environment that they run in, beside a login of the settings.
CHAINS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "gcs": ("GOOGLE_CLOUD_PROJECT",),
    "azure": (
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_TENANT_ID",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
    ),
}
CHAINS |= {"aws": CHAINS["s3"], "gcp": CHAINS["gcs"]}


class Container(NamedTuple):
    """One attempt's container.

    `command`      the whole of it, the interpreter first; no value of a secret is on it
    `environment`  variables with their values; none of them is a secret
    `secrets`      variables that whoever starts it takes from the environment it runs in, where they are set
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]
    labels: dict[str, str]


def container_of(deployment: Deployment, step: DeployedStep, job: StepJob, mark: str, folder: str = "") -> Container:
    """The container of one attempt; `mark` is that of its run, `folder` the project's state folder."""
    return Container(
        name_of(deployment.run_id, step.name, job.attempt, mark),
        image_of(step),
        tuple(command_of(in_container(step, job), PYTHON)),
        environment_of(step),
        inherited(deployment, step),
        labels_of(deployment, step.name, job.attempt, mark, folder),
    )


def in_container(step: DeployedStep, job: StepJob) -> StepJob:
    """A job whose worker keeps the log and writes the result, whoever watches or does not, and prints the log, too."""
    job = job._replace(announce=True, echo=True, bound=False)
    return job._replace(code=step.container.get("code") or IN_THE_IMAGE)


def image_of(step: DeployedStep) -> str:
    """The reference of a step's image, empty where there is none."""
    return str(step.container.get("image") or step.image.get("image") or "")


def environment_of(step: DeployedStep) -> dict[str, str]:
    """What is set before the interpreter starts. References to secrets are left to the worker, which resolves them."""
    declared = {name: text for name, text in step.environment.items() if "${" not in text}
    return {"PYTHONUNBUFFERED": "1"} | thread_variables(step.resources) | declared


def inherited(deployment: Deployment, step: DeployedStep) -> tuple[str, ...]:
    """The names of variables that the attempt needs from the environment of whoever runs `runner`: secrets, where the
    secret store is the environment, and what the artifact store and the secret store log in with."""
    names: list[str] = []
    secrets = deployment.secret_store
    if secrets.get("flavor", "env") == "env":
        used = secret_names([step.parameters, step.environment, deployment.artifact_store, secrets])
        names += [f"{secrets.get('prefix', '')}{name}" for name in used]
    for flavor in (deployment.artifact_store.get("flavor"), secrets.get("flavor")):
        names += CHAINS.get(str(flavor), ())
    return tuple(dict.fromkeys(names))


def labels_of(deployment: Deployment, step: str, attempt: int, mark: str, folder: str = "") -> dict[str, str]:
    """By what a container is found again, and told what it is."""
    found = {
        RUN_ID: deployment.run_id,
        PIPELINE: deployment.pipeline,
        STEP: step,
        ATTEMPT: str(attempt),
        MARK: mark,
    }
    return found | ({FOLDER: folder} if folder else {})


def mark_of(run_id: str, artifact_store: Mapping[str, Any]) -> str:
    """What tells a run from all others on one engine: run ids are unique in an artifact store only."""
    place = json.dumps([run_id, artifact_store.get("flavor", "local"), artifact_store.get("path", "")])
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def name_of(run_id: str, step: str, attempt: int, mark: str) -> str:
    """A name within the rules of engines: letters, digits and dashes, not too long, and each attempt its own."""
    tail = f"-{attempt}-{mark[:8]}"
    name = re.sub(r"[^a-z0-9]+", "-", f"runner-{run_id}-{step}".lower()).strip("-")
    if len(name) + len(tail) > LONGEST or name != f"runner-{run_id}-{step}":
        # Cut, or two steps that differ in what was replaced: told apart by a digest.
        digest = hashlib.sha256(step.encode()).hexdigest()[:6]
        name = f"{name[: LONGEST - len(tail) - len(digest) - 1].rstrip('-')}-{digest}"
    return name + tail


def on_loopback(url: str | None) -> bool:
    """Whether an address is one that means this machine only, and in a container the container."""
    host = (urlsplit(url).hostname or "") if url else ""
    return host.startswith(LOOPBACK)
