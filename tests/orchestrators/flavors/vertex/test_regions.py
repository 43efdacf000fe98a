"""Regions: what is known, what is misspelt, and what may be new."""

from __future__ import annotations

import pytest

from runner.orchestrators.flavors.vertex.regions import REGIONS, meant


@pytest.mark.parametrize("region", REGIONS)
def test_a_known_region_is_what_it_says(region: str) -> None:
    assert meant(region) is None


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("europe-wset4", "europe-west4"),
        ("us-centrall1", "us-central1"),
        ("asia-southeest1", "asia-southeast1"),
        ("eurpe-west4", "europe-west4"),
        ("eu-west1", "europe-west1"),
        ("northamerica-norteast1", "northamerica-northeast1"),
    ],
)
def test_a_misspelt_region_is_guessed(location: str, region: str) -> None:
    assert meant(location) == region


@pytest.mark.parametrize("location", ["europe-west10", "us-northeast1", "africa-north1", "mars-base1"])
def test_what_may_be_new_or_is_like_none_is_let_through(location: str) -> None:
    assert location not in REGIONS and meant(location) is None


def test_googles_own_sdk_knows_no_others() -> None:
    from google.cloud.aiplatform.constants.base import SUPPORTED_REGIONS

    assert SUPPORTED_REGIONS - {"global"} == set(REGIONS)
