"""What a remote store is made of: the few requests that every provider answers, and what its refusals mean."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

_T = TypeVar("_T")

PATIENCE = 40.0
"""Seconds after which a request that fails for a passing reason is not tried again."""
IMPATIENCE = 4.0
"""The same for a service that nothing has been heard of yet: its address is probably wrong."""
LONGEST_WAIT = 8.0

MISSING, EXISTS = "missing", "exists"
"""No object under this key; there is one already. These two are answers, all others are refusals."""
TRANSIENT, UNREACHABLE, DENIED, LOGIN, BUCKET, OTHER = (
    "transient",
    "unreachable",
    "denied",
    "login",
    "bucket",
    "other",
)
MARK = "writer"
"""Under which name the mark of a conditional write is kept, in what providers call metadata."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that a moment later may be different."""


class Trouble(NamedTuple):
    """Why a request failed: one of the kinds above, and the provider's own words."""

    kind: str
    words: str = ""


class Found(NamedTuple):
    """An object's size in bytes, what changes with its content, and the mark that its writer left."""

    size: int
    tag: str
    mark: str = ""


class Page(NamedTuple):
    """A piece of a listing: keys, what they have in common up to the next delimiter, and how to ask for the rest."""

    keys: list[str]
    folders: list[str]
    rest: Any = None


class Failed(Exception):
    """A request was given up."""

    def __init__(self, trouble: Trouble, tries: int) -> None:
        super().__init__(trouble.words)
        self.trouble = trouble
        self.tries = tries


class Bucket(ABC):
    """An open bucket or container. Keys are whole ones; every method is one request, unless it says otherwise.

    Methods raise whatever the provider's library raises; `trouble` says what it means.
    """

    noun: ClassVar[str] = "bucket"
    rights: ClassVar[Mapping[str, str]] = {}
    """What each of the verbs `read`, `write`, `list`, `delete` needs, in the provider's words."""
    login_help: ClassVar[str] = ""
    most_deleted: ClassVar[int] = 1000
    part: ClassVar[int] = 16 * 1024 * 1024
    """Bytes of a part of a large object, at least."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    async def connect(self) -> None:
        """Open the connection; needs no answer from the service."""

    @abstractmethod
    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The object, or its bytes from `start` up to `end`."""

    @abstractmethod
    async def write(self, key: str, data: bytes, mark: str = "") -> None:
        """Write an object; with a mark only when there is none, else EXISTS. The mark is kept beside it."""

    async def begin(self, key: str, size: int) -> Any:
        """Begin an object in parts; the handle goes to `add`, then `finish` makes the object, or `abandon`.

        A bucket whose library sends large objects by itself has none of these four.
        """
        raise NotImplementedError

    async def add(self, handle: Any, number: int, offset: int, data: bytes) -> Any:
        """Send part `number` (from 1); what comes back goes to `finish`."""
        raise NotImplementedError

    async def finish(self, handle: Any, parts: Sequence[Any]) -> None:
        raise NotImplementedError

    async def abandon(self, handle: Any) -> None:  # noqa: B027  (some forget parts by themselves)
        """Let go of parts that become no object."""

    @abstractmethod
    async def look(self, key: str) -> Found: ...

    @abstractmethod
    async def page(self, prefix: str, delimiter: str, rest: Any) -> Page:
        """Up to a thousand keys or so, in order; `rest` is the last page's, None for the first."""

    @abstractmethod
    async def remove(self, keys: Sequence[str]) -> None:
        """Remove at most `most_deleted` objects; those that are not there count as removed."""

    @abstractmethod
    async def copy(self, source: str, target: str) -> None: ...

    @abstractmethod
    def trouble(self, error: Exception) -> Trouble: ...

    async def pause(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)

    async def several(self, work: Callable[[int], Awaitable[None]], count: int, at_once: int) -> None:
        """`work(0)` … `work(count - 1)`, some at a time; the first failure ends all of them."""
        import asyncio

        numbers = iter(range(count))

        async def one_after_another() -> None:
            for number in numbers:
                await work(number)

        tasks = [asyncio.ensure_future(one_after_another()) for _ in range(min(at_once, count))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    in_order: ClassVar[bool] = False
    """Whether the parts of an object must be sent one after the other."""


class Patience:
    """Tries a request again while its failure may pass, with growing pauses of random length."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.heard = False

    async def request(self, make: Callable[[], Awaitable[_T]]) -> tuple[_T, int]:
        """The answer, and how often it was asked for. Raises Failed."""
        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                answer = await make()
            except Exception as error:
                trouble = self.bucket.trouble(error)
                wait = random.uniform(0.5, 1.0) * min(0.1 * 2**tries, LONGEST_WAIT)  # noqa: S311  (no secret)
                if not self._passes(trouble, time.monotonic() + wait - began):
                    raise Failed(trouble, tries) from error
                await self.bucket.pause(wait)
            else:
                self.heard = True
                return answer, tries

    def _passes(self, trouble: Trouble, taken: float) -> bool:
        if trouble.kind == UNREACHABLE:
            return taken < (PATIENCE if self.heard else IMPATIENCE)
        return trouble.kind == TRANSIENT and taken < PATIENCE


def network_trouble(error: BaseException) -> Trouble | None:
    """What failed below every provider's protocol: names, connections, time."""
    import aiohttp

    words = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, aiohttp.InvalidURL):
        return Trouble(OTHER, words)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Trouble(OTHER, words)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Trouble(UNREACHABLE, str(error))
    if isinstance(error, TimeoutError | ConnectionError | aiohttp.ClientError):
        return Trouble(TRANSIENT, words)
    return None
