"""What a stack may write about the place where secrets are kept."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated

from pydantic import Field

from runner.spec.artifact_store import Text, Url
from runner.spec.common import Spec

Prefix = Annotated[str, Field(pattern="^[A-Za-z0-9/_+=.@-]*$")]


class EnvSettings(Spec):
    """Environment variables of the process that runs a step."""

    prefix: Annotated[str, Field(pattern="^[A-Za-z0-9_]*$")] = Field(
        "", description="Stands before a secret's name: with `ML_`, `${secrets.TOKEN}` is the variable ML_TOKEN."
    )


class FileSettings(Spec):
    """A file of `NAME=value` lines, readable by its owner alone (mode 0600 or 0400)."""

    path: Text = Field(description="The file; a relative one stands beside the project's file.")


class AwsSettings(Spec):
    """AWS Secrets Manager; credentials come from AWS's own chain."""

    region: Text | None = Field(None, description="The region; AWS's own configuration when left out.")
    prefix: Prefix = Field("", description="Stands before a secret's name: `ml/` makes TOKEN the secret `ml/TOKEN`.")
    endpoint_url: Url | None = Field(None, description="Another address of the service than AWS's own.")
    profile: Text | None = Field(None, description="The profile in AWS's configuration whose credentials are used.")


class GcpSettings(Spec):
    """Google Cloud Secret Manager, each secret's latest version; credentials are the application's default ones."""

    project: Text = Field(description="The project's id.")
    prefix: Annotated[str, Field(pattern="^[A-Za-z0-9_-]*$")] = Field(
        "", description="Stands before a secret's name: `ml-` makes TOKEN the secret `ml-TOKEN`."
    )
    endpoint_url: Url | None = Field(None, description="Another address of the service; `http://…` is for emulators.")


class KubernetesSettings(Spec):
    """A Secret object of the cluster that runs the steps; each of its keys is a secret. For flavor `kubernetes`."""

    secret: Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] = Field(
        description="The Secret's name."
    )
    namespace: Text | None = Field(None, description="Its namespace; it must be the one that the steps' pods run in.")
