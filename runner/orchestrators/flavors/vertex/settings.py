"""What a stack may say of Vertex AI."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator

from runner.orchestrators.flavors.vertex.regions import meant
from runner.spec.common import Spec, rule

OURS = "runner_"
"""Begins the names of the labels that runner gives to its jobs."""
MOST_LABELS = 60
"""Google Cloud takes 64 of one job: https://cloud.google.com/resource-manager/docs/labels-overview."""

LABEL_NAME = "^[a-z][a-z0-9_-]{0,62}$"
_LABELS: dict[str, Any] = {
    "maxProperties": MOST_LABELS,
    "propertyNames": {"pattern": LABEL_NAME, "not": {"pattern": f"^{OURS}"}},
}
ENCRYPTED = "^https://[^/?#@ ]+/?$"
OF_THIS_MACHINE = r"^http://(localhost|127([.][0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?/?$"


def _endpoint(url: str) -> str:
    if re.search(OF_THIS_MACHINE, url) or re.search(ENCRYPTED, url):
        return url
    wrong = "would be asked without encryption, over a network" if url.startswith("http://") else "is no such address"
    help = "write https://…; http://… is for an address of this machine, as in http://localhost:8080"
    raise rule("bad-value", f"'{url}' {wrong}", help)


LOCATION = "^[a-z]+-[a-z]+[0-9]+$"


def _region(location: Any) -> Any:
    """A name of the right form; whether there is such a region is another matter, see `regions`."""
    if isinstance(location, str) and not re.fullmatch(LOCATION, location):
        near = meant(re.sub("-[a-z]$", "", location.lower()), always=True)
        zone = re.fullmatch(f"{LOCATION.strip('^$')}-[a-z]", location)
        told = f"'{location}' is {'a zone, and no' if zone else 'no'} region of Google Cloud"
        raise rule("bad-value", told, f"did you mean '{near}'?" if near else "write one, as in europe-west4")
    return location


LabelName = Annotated[str, Field(pattern=LABEL_NAME)]
LabelText = Annotated[str, Field(pattern="^[a-z0-9_-]{0,63}$")]
EndpointUrl = Annotated[
    str,
    AfterValidator(_endpoint),
    WithJsonSchema({"type": "string", "pattern": f"{ENCRYPTED}|{OF_THIS_MACHINE}"}),
]


class VertexSettings(Spec):
    """Vertex AI Pipelines walks the DAG; each step is a job on machines that Google gives and takes back."""

    project: Annotated[str, Field(pattern="^([a-z0-9.]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$")] = Field(
        description="The id of the Google Cloud project, as in my-project-123."
    )
    location: Annotated[str, BeforeValidator(_region), WithJsonSchema({"type": "string", "pattern": LOCATION})] = Field(
        description="The region that jobs run in, as in europe-west4."
    )
    pipeline_root: Annotated[str, Field(pattern="^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^ ]*)?$")] | None = Field(
        None, description="Where Vertex keeps its own records, as in gs://bucket/folder; the artifact store's path."
    )
    service_account: Annotated[str, Field(pattern="^[^@ ]+@[^@ ]+[.]gserviceaccount[.]com$")] | None = Field(
        None, description="What steps log in as, as in ml@my-project-123.iam.gserviceaccount.com."
    )
    network: Annotated[str, Field(pattern="^projects/[^/ ]+/global/networks/[^/ ]+$")] | None = Field(
        None, description="The network that steps are peered with, as in projects/12345/global/networks/my-vpc."
    )
    encryption_spec_key_name: (
        Annotated[str, Field(pattern="^projects/[^/ ]+/locations/[^/ ]+/keyRings/[^/ ]+/cryptoKeys/[^/ ]+$")] | None
    ) = Field(
        None,
        description="The key that encrypts what Vertex keeps, as in projects/p/locations/l/keyRings/r/cryptoKeys/k.",
    )
    labels: dict[LabelName, LabelText] = Field(
        {}, description="Further labels of each run, as Google Cloud has them.", json_schema_extra=_LABELS
    )
    endpoint_url: EndpointUrl | None = Field(
        None,
        description="Where Vertex' API is, if not at the region's own address, as in https://vertex.p.googleapis.com.",
    )
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")

    @field_validator("labels")
    @classmethod
    def _as_google_takes_them(cls, labels: dict[str, str]) -> dict[str, str]:
        if taken := [name for name in labels if name.startswith(OURS)]:
            raise rule("set-by-runner", f"labels that begin with '{OURS}' are set by runner", "take another", taken[0])
        if len(labels) > MOST_LABELS:
            message = f"these are {len(labels)} labels, and a job takes {MOST_LABELS} beside runner's own"
            raise rule("out-of-range", message, "leave some of them out")
        return labels


def is_open(endpoint_url: str | None) -> bool:
    """Whether an address is asked without encryption and without credentials: one of this machine."""
    return bool(endpoint_url) and urlsplit(endpoint_url).scheme == "http"
