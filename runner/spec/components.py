"""What a stack may write about its container registry, its image builder and its experiment tracker."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated

from pydantic import Field

from runner.spec.common import SecretReference, Spec

HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?"
PATH = r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
RegistryUri = Annotated[str, Field(pattern=f"^{HOST}{PATH}$")]


class GenericRegistrySettings(Spec):
    """Any registry that speaks the Docker registry's protocol."""

    uri: RegistryUri = Field(description="Host and path that images are pushed under, as in registry.example.com/ml.")
    username: str | None = Field(None, description="Who logs in; the Docker client's own login when left out.")
    password: SecretReference | None = Field(None, description="The password or token, as ${secrets.NAME}.")


class EcrSettings(Spec):
    """Amazon Elastic Container Registry; logs in by the provider's own credentials."""

    uri: Annotated[str, Field(pattern=rf"^[0-9]{{12}}[.]dkr[.]ecr[.][a-z0-9-]+[.]amazonaws[.]com([.]cn)?{PATH}$")] = (
        Field(description="As in 123456789012.dkr.ecr.eu-central-1.amazonaws.com/ml.")
    )
    profile: str | None = Field(None, description="The profile of the AWS configuration to log in with.")


class GarSettings(Spec):
    """Google Artifact Registry; logs in by the provider's own credentials."""

    uri: Annotated[str, Field(pattern=r"^[a-z0-9-]+-docker[.]pkg[.]dev/[a-z0-9-]+(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$")] = (
        Field(description="As in europe-west1-docker.pkg.dev/project/repository.")
    )


class AcrSettings(Spec):
    """Azure Container Registry; logs in by the provider's own credentials."""

    uri: Annotated[str, Field(pattern=rf"^[A-Za-z0-9]+[.]azurecr[.](io|cn|us){PATH}$")] = Field(
        description="As in example.azurecr.io/ml."
    )


class DockerHubSettings(Spec):
    """Docker Hub."""

    uri: Annotated[str, Field(pattern=r"^(docker[.]io/)?[a-z0-9]+([._-]+[a-z0-9]+)*$")] = Field(
        description="The account or organisation, as in docker.io/example."
    )
    username: str | None = Field(None, description="Who logs in; the Docker client's own login when left out.")
    password: SecretReference | None = Field(None, description="The password or token, as ${secrets.NAME}.")


class LocalBuilderSettings(Spec):
    """The Docker Engine of this machine, or the one that DOCKER_HOST names."""


class MlflowSettings(Spec):
    """An MLflow server; steps find it by MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME."""

    tracking_uri: Annotated[str, Field(min_length=1)] = Field(
        description="The server, as in https://mlflow.example.com."
    )
    experiment: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The experiment that runs are logged to; the pipeline's name when left out."
    )
