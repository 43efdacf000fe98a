"""A way to a server over TCP that can be cut, and be gone for a while: what an API server that restarts looks like."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Hole:
    """A port of this machine behind which another server answers, unless it is `shut`."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.shut = False
        self.came = 0  # connections that were let through
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, in the middle of whatever it is at."""
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self.listener.accept()
                if self.shut:
                    near.close()
                    continue
                self.came += 1
                far = socket.create_connection(self.target)
                self.open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def hole(host: str, port: int) -> Iterator[Hole]:
    """One, for as long as it is needed."""
    made = Hole(host, port)
    yield made
    made.shut = True
    made.cut()
    made.listener.close()
