"""The regions that Vertex AI is known to be in, and what a misspelt one was meant to be. Pure."""

from __future__ import annotations

import re

REGIONS = (
    "africa-south1",
    "asia-east1",
    "asia-east2",
    "asia-northeast1",
    "asia-northeast2",
    "asia-northeast3",
    "asia-south1",
    "asia-south2",
    "asia-southeast1",
    "asia-southeast2",
    "australia-southeast1",
    "australia-southeast2",
    "europe-central2",
    "europe-north1",
    "europe-north2",
    "europe-southwest1",
    "europe-west1",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "europe-west6",
    "europe-west8",
    "europe-west9",
    "europe-west12",
    "me-central1",
    "me-central2",
    "me-west1",
    "northamerica-northeast1",
    "northamerica-northeast2",
    "southamerica-east1",
    "southamerica-west1",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-east5",
    "us-east7",
    "us-south1",
    "us-west1",
    "us-west2",
    "us-west3",
    "us-west4",
    "us-west8",
)
"""As https://cloud.google.com/vertex-ai/docs/general/locations has them, and SUPPORTED_REGIONS of Google's SDK 2.7."""
_AREAS = {region.partition("-")[0] for region in REGIONS}
_DIRECTION = re.compile("(central|north|south|(north|south)?(east|west))[0-9]{1,2}")
_ALIKE = 0.8


def meant(location: str, *, always: bool = False) -> str | None:
    """The known region that `location` is a misspelling of; None for a known one, and for one that may be new: of a
    known part of the world and a direction in it, or like none that there is. `always` names a known one, too."""
    area, _, rest = location.partition("-")
    if not always and area in _AREAS and _DIRECTION.fullmatch(rest):
        return None
    import difflib  # only for the mistake

    near = [region for region in REGIONS if region[:2] == location[:2]] or REGIONS
    found = difflib.get_close_matches(location, near, n=1, cutoff=_ALIKE)
    return found[0] if found else None
