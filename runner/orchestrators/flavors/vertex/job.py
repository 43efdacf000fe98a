"""A run as a PipelineJob of Vertex' API (v1): its name, its labels, and all but its document, as plain data. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from runner.orchestrators.container import LONGEST, mark_of
from runner.orchestrators.flavors.vertex.settings import OURS, VertexSettings
from runner.orchestrators.kfp.names import pipeline_name
from runner.plan.deployment import RUN_ID, Deployment

LONGEST_ID = 127
"""Characters of a job's id, which is `[a-z][-a-z0-9]*` and less than 128 of them."""
RUN_ID_LABEL, PIPELINE_LABEL, MARK_LABEL = f"{OURS}run_id", f"{OURS}pipeline", f"{OURS}mark"
"""Google's spelling of our labels; by the mark the jobs of one run are found."""
_DIGEST, _NUMBER = 8, 6  # characters of a digest, and those left for `-2`, `-3` … of runs that are gone on with
_FAILURE = {"fail_fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST", "continue": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"}


def pipeline_job(deployment: Deployment, settings: VertexSettings) -> dict[str, Any]:
    """A PipelineJob but for its `pipelineSpec`, which is the pipeline's document.

    One that was compiled for no run in particular says nothing of a run: Vertex' own id counts then.
    """
    runtime = {
        "gcsOutputDirectory": root_of(settings, deployment.artifact_store),
        "parameterValues": {RUN_ID: deployment.run_id} if _is_of_a_run(deployment) else {},
        "failurePolicy": _FAILURE[deployment.on_failure],
    }
    key = settings.encryption_spec_key_name
    found = {
        "displayName": pipeline_name(deployment.pipeline),
        "labels": settings.labels | labels_of(deployment),
        "runtimeConfig": {name: value for name, value in runtime.items() if value},
        "serviceAccount": settings.service_account,
        "network": settings.network,
        "encryptionSpec": {"kmsKeyName": key} if key else None,
    }
    return {name: value for name, value in found.items() if value}


def labels_of(deployment: Deployment) -> dict[str, str]:
    """By what a job is found again, and told whose it is."""
    found = {PIPELINE_LABEL: label_value(deployment.pipeline)}
    if _is_of_a_run(deployment):
        mark = mark_of(deployment.run_id, deployment.artifact_store)
        found |= {RUN_ID_LABEL: label_value(deployment.run_id), MARK_LABEL: mark}
    return found


def label_value(text: str) -> str:
    """The text itself where a label can have it; else what is left of it, and a digest that tells it from others."""
    if re.fullmatch(f"[a-z0-9_-]{{0,{LONGEST}}}", text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    kept = re.sub("[^a-z0-9_-]+", "-", text.lower())[: LONGEST - _DIGEST - 1].strip("-")
    return f"{kept}-{digest}" if kept else digest


def job_id(pipeline: str, run_id: str, mark: str, number: int = 1) -> str:
    """The id of a run's job; `number` counts how many times the run was begun or gone on with."""
    tail = f"-{mark[:_DIGEST]}"
    name = re.sub("[^a-z0-9]+", "-", f"{pipeline_name(pipeline)}-{run_id}".lower())
    name = re.sub("^[^a-z]+", "", name) or "run"
    name = name[: LONGEST_ID - len(tail) - _NUMBER].rstrip("-") + tail
    return name if number == 1 else f"{name}-{number}"


def number_of(found: str, first: str) -> int:
    """The number of a job by its id or its resource name; `first` is the id of the run's first job. 0 for another
    run's."""
    name = found.rpartition("/")[2]
    if name == first:
        return 1
    more = re.fullmatch(f"{re.escape(first)}-([0-9]+)", name)
    return int(more[1]) if more else 0


def console_url(name: str, settings: VertexSettings) -> str:
    """Where a person can look at a job; `name` is its full resource name."""
    base = "https://console.cloud.google.com/vertex-ai/locations"
    return f"{base}/{settings.location}/pipelines/runs/{name.rpartition('/')[2]}?project={settings.project}"


def root_of(settings: VertexSettings, artifact_store: Mapping[str, Any]) -> str | None:
    """Where Vertex is to keep its own records; None where nobody said so."""
    own = artifact_store.get("path") if artifact_store.get("flavor") == "gcs" else None
    return settings.pipeline_root or own


def _is_of_a_run(deployment: Deployment) -> bool:
    return bool(deployment.run_id) and "$" not in deployment.run_id
