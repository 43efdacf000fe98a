"""What the pods of attempts print, followed by threads; what is missing comes from the log in the ledger."""

from __future__ import annotations

import codecs
import contextlib
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runner.errors import RunnerError
from runner.orchestrators.base import LedgerLike
from runner.orchestrators.cluster_api import Cluster, Refused, closed

THREADS = 64  # logs that are followed at a time
TRIES, AGAIN = 4, 0.5  # of a log whose connection broke, and seconds between two
LATE = 3.0  # seconds: a log that came to its end so long before its attempt was cut off
# What nodes write at the end of a log, or in its place, when they have forgotten the container.
_NOISE = re.compile(
    r"(rpc error: code = (Unknown|NotFound|Unavailable) desc = [^\n]*\b(container|dockerd?|containerd)\b"
    r"|unable to retrieve container logs for \w"
    r'|failed to try resolving symlinks in path "/)[^\n]*\n?\Z'
)
Attempt = tuple[str, int]
Tell = Callable[..., None]


def without_noise(text: str) -> str:
    """A log without what its node, and not its container, wrote at its end."""
    return _NOISE.sub("", text)


QUEUED, FOLLOWED, CUT, WHOLE, ASKED, OVER = "queued", "followed", "cut", "whole", "asked", "over"


class Tail:
    """One attempt's log: how far it is, how many characters were told, and when its pod's came to its end."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.told = 0
        self.ended_at = 0.0


class Tails:
    """The logs of a run's attempts. Tells ("lines", attempt, text), and at the end of each ("tail", attempt, state),
    which is to be handed to `heard` when all lines before are dealt with.
    """

    def __init__(self, cluster: Cluster, ledger: LedgerLike, run_id: str, tell: Tell) -> None:
        self.cluster = cluster
        self.ledger = ledger
        self.run_id = run_id
        self.tell = tell
        self.tails: dict[Attempt, Tail] = {}
        self.streams: dict[str, Stream] = {}
        self.closed = False
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(THREADS, "runner-log")

    def follow(self, attempt: Attempt, pod: str) -> None:
        """From now on, from its beginning, unless it is followed already."""
        if attempt not in self.tails:
            tail = self.tails[attempt] = Tail(QUEUED)
            self.pool.submit(self._follow, attempt, pod, tail)

    def is_through(self, attempt: Attempt) -> bool:
        """Whether all lines of an attempt that has ended were told; sees to those that are missing."""
        tail = self.tails.setdefault(attempt, Tail(QUEUED))
        with self.lock:
            if tail.state == WHOLE and time.monotonic() - tail.ended_at < LATE:
                tail.state = OVER
            elif tail.state in (QUEUED, CUT, WHOLE):
                tail.state = ASKED
                self.pool.submit(self._rest, attempt, tail)
        return tail.state == OVER

    def heard(self, attempt: Attempt, state: str) -> None:
        """All that a thread told of an attempt is dealt with."""
        self.tails[attempt].state = state

    def close(self) -> None:
        with self.lock:
            self.closed = True
            streams = list(self.streams.values())
        for stream in streams:
            stream.close()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self, attempt: Attempt, pod: str, tail: Tail) -> None:
        with self.lock:
            if self.closed or tail.state != QUEUED:
                return
            tail.state = FOLLOWED
            stream = self.streams[pod] = Stream(self.cluster, pod)
        state = CUT
        with contextlib.suppress(RunnerError):  # the ledger has it, too
            for text in stream.lines():
                tail.told += len(text)
                self.tell("lines", attempt, text)
            state = CUT if stream.noisy else WHOLE  # a step may say such a thing itself: the ledger knows
        tail.ended_at = time.monotonic()
        self.tell("tail", attempt, state)
        with self.lock:
            del self.streams[pod]

    def _rest(self, attempt: Attempt, tail: Tail) -> None:
        with contextlib.suppress(RunnerError):  # a log that cannot be read is no reason to stop
            if text := self.ledger.log(self.run_id, *attempt)[tail.told :]:
                self.tell("lines", attempt, text)
        self.tell("tail", attempt, OVER)


class Stream:
    """What one pod's container prints, from its beginning to its end, over connections that may break."""

    def __init__(self, cluster: Cluster, pod: str) -> None:
        self.cluster = cluster
        self.pod = pod
        self.over = threading.Event()
        self.answer: Any = None
        self.noisy = False

    def lines(self) -> Any:
        """Text, whole lines. Raises Refused when it cannot be had any more."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        seen, tries, rest, held = 0, 0, "", ""
        while True:
            try:
                for chunk in self._chunks(seen):
                    seen += len(chunk)
                    whole, newline, rest = (rest + decoder.decode(chunk)).rpartition("\n")
                    if newline:
                        text = held + whole + newline
                        told = without_noise(text)
                        held = text[len(told) :]
                        if told:
                            yield told
                break
            except Refused:
                tries += 1
                if self.over.wait(AGAIN * tries) or tries == TRIES:
                    raise
        text = held + rest + decoder.decode(b"", final=True)
        told = without_noise(text)
        self.noisy = told != text
        if told:
            yield told

    def close(self) -> None:
        """Wake up whoever reads it."""
        self.over.set()
        if self.answer is not None:
            closed(self.answer)

    def _chunks(self, skip: int) -> Any:
        from urllib3.exceptions import HTTPError

        self.answer = answer = self.cluster.log(self.pod, follow=True)
        try:
            for chunk in answer.stream(65536, decode_content=False):
                known, skip = skip, max(0, skip - len(chunk))
                if new := chunk[known:]:
                    yield new
        except (HTTPError, OSError, ValueError, AttributeError) as error:  # a connection breaks in many ways
            raise Refused(f"the log of pod '{self.pod}' broke off: {error}") from error
        finally:
            answer.close()
