"""What a step needs, in numbers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runner.spec.resources import Resources, ResourcesDocument


def test_units_become_bytes() -> None:
    found = Resources.model_validate({"cpu_count": 0.5, "memory": "1GiB", "disk": "2GB", "shm": "64MB"})
    assert (found.cpu_count, found.memory, found.disk, found.shm) == (0.5, 2**30, 2 * 10**9, 64 * 10**6)


def test_what_is_left_out_is_not_limited() -> None:
    assert set(Resources().model_dump().values()) == {None}


@pytest.mark.parametrize(
    "fields",
    [
        {"cpu_count": 0},
        {"cpu_count": 100_001},
        {"cpu_count": "2"},
        {"gpu_count": -1},
        {"gpu_count": 1.5},
        {"gpu_type": ""},
        {"memory": "2 GB"},
        {"cpus": 2},
    ],
)
def test_what_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Resources.model_validate(fields)


def test_whole_numbers_of_accelerators_may_be_written_as_floats() -> None:
    assert Resources.model_validate({"gpu_count": 2.0}).gpu_count == 2


def test_a_document_has_a_name_beside_them() -> None:
    found = ResourcesDocument.model_validate({"kind": "resources", "name": "large", "cpu_count": 4})
    assert (found.name, found.cpu_count) == ("large", 4)
