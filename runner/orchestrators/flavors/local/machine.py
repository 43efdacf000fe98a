"""What this machine has, and which part of it each running attempt was given."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Machine(NamedTuple):
    """Processors by number, bytes of memory, accelerators by their number or UUID."""

    cpus: tuple[int, ...]
    memory: int
    gpus: tuple[str, ...]


def this_machine(environ: Mapping[str, str]) -> Machine:
    """The processors this process may use, the machine's memory, and the accelerators that are visible."""
    cpus = (
        tuple(sorted(os.sched_getaffinity(0)))
        if hasattr(os, "sched_getaffinity")
        else tuple(range(os.cpu_count() or 1))
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(cpus, memory, _gpus(environ))


class Shares:
    """Hands out processors, memory and accelerators to attempts, and takes them back."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.cpu_free = float(len(machine.cpus))
        self.memory_free = machine.memory
        self.gpus_free = list(machine.gpus)
        self.load = dict.fromkeys(machine.cpus, 0.0)
        self.given: dict[tuple[str, int], tuple[float, int, list[str], list[int]]] = {}

    def fits(self, resources: Mapping[str, Any]) -> bool:
        """Whether what the step asks for is free now."""
        return bool(
            resources.get("cpu_count", 0) <= self.cpu_free + 1e-9
            and resources.get("memory", 0) <= self.memory_free
            and resources.get("gpu_count", 0) <= len(self.gpus_free)
        )

    def take(self, attempt: tuple[str, int], resources: Mapping[str, Any]) -> None:
        """Give an attempt what it asks for: the least used processors, memory, the first free accelerators."""
        cpu, memory = float(resources.get("cpu_count", 0)), int(resources.get("memory", 0))
        cpus = sorted(self.load, key=lambda number: (self.load[number], number))[: math.ceil(cpu)] if cpu else []
        gpus = [self.gpus_free.pop(0) for _ in range(resources.get("gpu_count", 0))]
        self.cpu_free -= cpu
        self.memory_free -= memory
        for number in cpus:
            self.load[number] += cpu / len(cpus)
        self.given[attempt] = (cpu, memory, gpus, cpus)

    def limits(self, attempt: tuple[str, int]) -> dict[str, Any]:
        """The attempt's limits for its worker: `cpus` by number, `memory` in bytes, `gpus` as text."""
        _, memory, gpus, cpus = self.given[attempt]
        limits: dict[str, Any] = {}
        if cpus:
            limits["cpus"] = sorted(cpus)
        if memory:
            limits["memory"] = memory
        if self.machine.gpus:
            limits["gpus"] = ",".join(gpus)
        return limits

    def give_back(self, attempt: tuple[str, int]) -> None:
        """The attempt has ended."""
        cpu, memory, gpus, cpus = self.given.pop(attempt)
        self.cpu_free += cpu
        self.memory_free += memory
        self.gpus_free[:0] = gpus
        for number in cpus:
            self.load[number] -= cpu / len(cpus)


def _gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in (part.strip() for part in visible.split(",")) if name and name != "-1")
    try:
        devices = os.listdir("/dev")
    except OSError:
        return ()
    return tuple(str(number) for number in sorted(int(d[6:]) for d in devices if re.fullmatch(r"nvidia[0-9]+", d)))
