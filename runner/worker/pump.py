"""The process beside a step that masks what the step and its children print."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import marshal
import os
import select
from collections.abc import Callable
from typing import BinaryIO

from runner.worker.masking import Stream

_CHUNK = 1 << 16


def pump(ways: list[tuple[int, int]], orders: int, answers: int) -> int:
    """Start it, and give its process. What comes in at the first descriptor of a way goes out, masked, at the second.

    It ends when nobody can write or give orders any more. Orders are marshalled, `{"forms": [text, …]}` for what is
    masked from now on and `{"settle": True}` to write all that has come in; each is answered by a byte.
    """
    return _apart(lambda: _Pump(ways, os.fdopen(orders, "rb"), answers).run())


class _Pump:
    """Its loop."""

    def __init__(self, ways: list[tuple[int, int]], orders: BinaryIO, answers: int) -> None:
        self.orders = orders
        self.answers = answers
        self.ways = {reader: (target, Stream()) for reader, target in ways}
        self.poller = select.poll()
        for descriptor in (orders.fileno(), *self.ways):
            self.poller.register(descriptor, select.POLLIN)

    def run(self) -> None:
        targets = [target for target, _ in self.ways.values()]
        _close_all_but({self.orders.fileno(), self.answers, *self.ways, *targets})
        listens = True
        while listens or self.ways:
            for descriptor, _ in self.poller.poll():
                if descriptor != self.orders.fileno():
                    if descriptor in self.ways and self._pass_on(descriptor) == 0:
                        self._close(descriptor)
                elif not self._obey():
                    listens = False
                    self.poller.unregister(descriptor)

    def _obey(self) -> bool:
        """False when nobody gives orders any more."""
        try:
            order = marshal.load(self.orders)  # noqa: S302  (from the process that this one was forked from)
        except EOFError:
            return False
        for _, stream in self.ways.values():
            stream.add(order.get("forms", ()))
        if "settle" in order:
            self._settle()
        os.write(self.answers, b".")
        return True

    def _settle(self) -> None:
        """Write what the pipes held when this was asked for; what is printed meanwhile may come later."""
        poller = select.poll()
        for reader, (target, stream) in list(self.ways.items()):
            poller.register(reader, select.POLLIN)
            left = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
            while left > 0 and poller.poll(0):
                if not (size := self._pass_on(reader)):
                    break
                left -= size
            poller.unregister(reader)
            _write(target, stream.end())

    def _pass_on(self, reader: int) -> int:
        target, stream = self.ways[reader]
        data = os.read(reader, _CHUNK)
        _write(target, stream.feed(data))
        return len(data)

    def _close(self, reader: int) -> None:
        target, stream = self.ways.pop(reader)
        _write(target, stream.end())
        self.poller.unregister(reader)


def _write(target: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody reads it, or the disk is full: the step must not wait for it
        while data:
            data = data[os.write(target, data) :]


def _apart(work: Callable[[], None]) -> int:
    """Do it in a process that is nobody's child here, and leads a session of its own, so that it outlives the step."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if pid := os.fork():
                os.write(writer, str(pid).encode())
            else:
                work()
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        pid = int(told.read(_CHUNK) or 0)
    os.waitpid(child, 0)
    if not pid:
        raise BlockingIOError(errno.EAGAIN, "there is no process to be had that masks secrets")
    return pid


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
