"""What containers print and what happens to them: sockets for one poll, and one thread that hears the engine."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

from runner.orchestrators.flavors.local_docker.engine import Engine, Refused

HEAD = 8  # bytes before each frame: which stream, three zeros, the length; see the Engine API's ContainerAttach
AGAIN = 0.5  # seconds between two tries to reach an engine that has gone silent


class Frames:
    """Text out of the engine's frames, in whole lines; standard output and standard error have lines of their own."""

    def __init__(self) -> None:
        self.data = b""
        self.lines: dict[int, bytes] = {}

    def feed(self, data: bytes) -> str:
        """The lines that are whole by now."""
        self.data += data
        text = b""
        while len(self.data) >= HEAD:
            end = HEAD + int.from_bytes(self.data[4:HEAD], "big")
            if len(self.data) < end:
                break
            stream, printed = self.data[0], self.data[HEAD:end]
            self.data = self.data[end:]
            whole, newline, rest = (self.lines.get(stream, b"") + printed).rpartition(b"\n")
            text += whole + newline
            self.lines[stream] = rest
        return text.decode("utf-8", "replace")

    def end(self) -> str:
        """What is left, without its end of line."""
        rest = b"\n".join(line for line in self.lines.values() if line)
        self.lines.clear()
        return rest.decode("utf-8", "replace")


class Printed:
    """The socket of an attached container."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket  # an io.SocketIO, or the SSL socket itself
        self.frames = Frames()
        self.over = False
        getattr(socket, "_sock", socket).setblocking(False)
        # What came with the headers of the answer stands in the SDK's buffer, and not in the socket.
        response = getattr(socket, "_response", None)
        peek = getattr(getattr(getattr(getattr(response, "raw", None), "_fp", None), "fp", None), "peek", None)
        self.first = bytes(peek()) if peek is not None else b""

    def fileno(self) -> int:
        return int(self.socket.fileno())

    def read(self) -> str:
        """New whole lines; at the end of all, `over`, the rest."""
        text = self.frames.feed(self.first)
        self.first = b""
        for _ in range(16):  # then have a look at the others: some never stop printing
            data = self._available()
            if data is None:
                return text
            if not data:
                self.over = True
                return text + self.frames.end()
            text += self.frames.feed(data)
        return text

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def _available(self) -> bytes | None:
        read = getattr(self.socket, "read", None) or self.socket.recv
        try:
            data: bytes | None = read(1 << 16)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:  # an SSL socket says in this way that it has to wait
            return None if type(error).__name__.startswith("SSLWant") else b""
        return data


class News:
    """A queue that a poll can wait for."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.awake, self.wake = os.pipe()
        os.set_blocking(self.awake, False)
        os.set_blocking(self.wake, False)

    def tell(self, *news: Any) -> None:
        self.queue.put(news)
        with contextlib.suppress(OSError):  # full: then it is awake; closed: then nobody listens
            os.write(self.wake, b".")

    def heard(self) -> list[tuple[Any, ...]]:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.awake, 4096):
                pass
        found = []
        with contextlib.suppress(Empty):
            while True:
                found.append(self.queue.get_nowait())
        return found

    def close(self) -> None:
        os.close(self.awake)
        os.close(self.wake)


class Listener:
    """The thread that hears what happens to a run's containers.

    It tells ("event", action, container, attributes), and when it cannot hear ("deaf",) and again ("hears",).
    """

    def __init__(self, engine: Engine, mark: str, news: News) -> None:
        self.engine = engine
        self.mark = mark
        self.news = news
        self.since = time.time() - 1
        self.closed = False
        self.stream: Any = None
        self.thread = threading.Thread(target=self._run, daemon=True, name="runner-docker-events")
        self.thread.start()

    def close(self) -> None:
        self.closed = True
        with contextlib.suppress(Exception):  # however far it is broken by now
            if self.stream is not None:
                self.stream.close()

    def _run(self) -> None:
        deaf = False
        while not self.closed:
            with contextlib.suppress(Refused):
                self.stream = self.engine.events(self.mark, self.since)
                if deaf:
                    self.news.tell("hears")
                    deaf = False
                self._hear()
            if self.closed:
                return
            if not deaf:
                deaf = True
                self.news.tell("deaf")
            time.sleep(AGAIN)

    def _hear(self) -> None:
        with contextlib.suppress(Exception):  # the SDK lets through whatever a broken connection raises
            for event in self.stream:
                self.since = event.get("time", self.since)
                actor = event.get("Actor", {})
                self.news.tell("event", event.get("Action", ""), actor.get("ID", ""), actor.get("Attributes", {}))
