"""Shares of the machine: what is free, what an attempt is given, what comes back."""

from __future__ import annotations

import os
from typing import Any

import pytest

from runner.orchestrators.flavors.local.machine import Machine, Shares, this_machine

MACHINE = Machine((0, 1, 2, 3), 1000, ("5", "7"))


def limits(shares: Shares, step: str, **resources: float) -> dict[str, Any]:
    """What an attempt is told that it was given."""
    shares.take((step, 1), resources)
    return shares.limits((step, 1))


def test_what_was_taken_does_not_fit_twice() -> None:
    shares = Shares(MACHINE)
    wanted = {"cpu_count": 3, "memory": 600, "gpu_count": 1}
    assert shares.fits(wanted)
    shares.take(("a", 1), wanted)
    assert not any(shares.fits({field: amount}) for field, amount in {"cpu_count": 2, "memory": 500}.items())
    assert shares.fits({"gpu_count": 1}) and not shares.fits({"gpu_count": 2})
    shares.give_back(("a", 1))
    assert shares.fits({"cpu_count": 4, "memory": 1000, "gpu_count": 2})


def test_the_least_used_processors_are_given() -> None:
    shares = Shares(MACHINE)
    first = limits(shares, "a", cpu_count=2)["cpus"]
    second = limits(shares, "b", cpu_count=2)["cpus"]
    assert sorted(first + second) == [0, 1, 2, 3]


def test_parts_of_processors_add_up() -> None:
    shares = Shares(MACHINE)
    for number in range(40):
        assert shares.fits({"cpu_count": 0.1})
        shares.take((f"s{number}", 1), {"cpu_count": 0.1})
    assert not shares.fits({"cpu_count": 0.1})
    for number in range(40):
        shares.give_back((f"s{number}", 1))
    assert shares.fits({"cpu_count": 4}) and max(shares.load.values()) < 1e-9


def test_who_asks_for_no_accelerator_sees_none() -> None:
    assert limits(Shares(MACHINE), "a")["gpus"] == ""
    assert "gpus" not in limits(Shares(Machine((0,), 1, ())), "a")


def test_accelerators_come_back_to_the_front() -> None:
    shares = Shares(MACHINE)
    assert limits(shares, "a", gpu_count=1)["gpus"] == "5"
    shares.give_back(("a", 1))
    assert limits(shares, "b", gpu_count=2)["gpus"] == "5,7"


@pytest.mark.parametrize(("text", "found"), [("", ()), ("-1", ()), ("0, 2", ("0", "2")), ("GPU-1f", ("GPU-1f",))])
def test_visible_devices(text: str, found: tuple[str, ...]) -> None:
    assert this_machine({"CUDA_VISIBLE_DEVICES": text}).gpus == found


def test_this_machine_has_the_processors_of_this_process() -> None:
    machine = this_machine({})
    assert set(machine.cpus) == os.sched_getaffinity(0) and machine.memory > 0
