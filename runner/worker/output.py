"""Standard output and error of a step's process, masked by a process beside it from the first secret on."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import sys
from collections.abc import Iterable

PATIENCE = 10.0  # seconds that the end of a step waits for what it printed to be written


class Output:
    """What this process and its children print.

    It goes to files or pipes as always until there is a secret. Then each goes through a pipe (one for both, when they
    are the same file) to a process that masks and writes on. That is no thread, since a step that prints while it holds
    the interpreter's lock would wait for the thread for ever, and one that dies of a signal would take along what the
    thread has not written; and it is no child, which the step might wait for.
    """

    def __init__(self) -> None:
        self.real = 1
        """The descriptor of what standard output really is."""
        self.beside = 0
        """The process beside, as soon as there is one."""
        self._orders = self._answers = -1

    def mask(self, forms: Iterable[str]) -> None:
        """Mask these texts in all that is printed from now on."""
        if not self.beside:
            self._begin()
        self._order({"forms": list(forms)})

    def settle(self) -> None:
        """Come back when everything printed so far is written."""
        _flush()
        if self.beside:
            self._order({"settle": True})

    def _begin(self) -> None:
        from runner.worker.pump import pump  # most steps have no secret

        _flush()
        real = os.dup(1), os.dup(2)
        ways: list[tuple[int, int]] = []
        for descriptor, target in zip((1, 2), real, strict=True):
            if ways and _same(*real):
                os.dup2(1, descriptor)
                continue
            reader, writer = os.pipe()
            os.dup2(writer, descriptor)
            os.close(writer)
            ways.append((reader, target))
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self.beside = pump(ways, orders, answers)
        for ours in (orders, answers, real[1], *(reader for reader, _ in ways)):
            os.close(ours)
        self.real = real[0]

    def _order(self, order: dict[str, object]) -> None:
        answer = select.poll()
        answer.register(self._answers, select.POLLIN)
        with contextlib.suppress(OSError), os.fdopen(os.dup(self._orders), "wb") as pipe:
            marshal.dump(order, pipe)
            pipe.flush()
            if answer.poll(PATIENCE * 1000):
                os.read(self._answers, 1)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # a step may have closed or replaced them
            stream.flush()


def _same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
