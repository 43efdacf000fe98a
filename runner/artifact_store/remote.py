"""The artifact store in a bucket of a provider. Standard library only at module level.

Nothing is imported and nobody is asked before the first request; a forked child connects anew, since the threads and
sockets of its parent are not its own. May be used by several threads at a time.
"""

from __future__ import annotations

import os
import re
import threading
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from runner.artifact_store.base import ArtifactStore, ObjectMissing, StoreError
from runner.artifact_store.bucket import (
    BUCKET,
    DENIED,
    EXISTS,
    LOGIN,
    MISSING,
    TRANSIENT,
    UNREACHABLE,
    Bucket,
    Failed,
    Found,
    Page,
    Patience,
)
from runner.artifact_store.downloads import Downloads
from runner.artifact_store.refusals import refused
from runner.artifact_store.transfers import download, upload

_T = TypeVar("_T")

MODEST = 16 * 1024 * 1024
"""Bytes up to which a file goes up, and an object comes down, in one request."""

_SECRET = re.compile(r"\$\{secrets\.([A-Za-z_][A-Za-z0-9_]*)\}")
_abandoned: list[Bucket] = []  # of a parent process: to close them would wait for threads that this process lacks


class RemoteArtifactStore(ArtifactStore):
    """Objects of a bucket, below the prefix of `path`."""

    remote = True
    modules: ClassVar[tuple[str, ...]] = ()
    """What connecting imports."""
    extra: ClassVar[str] = ""
    """The extra of `runner` that installs them."""

    def __init__(self, settings: Mapping[str, Any], secret: Callable[[str], str] | None = None) -> None:
        self._settings = {name: value for name, value in settings.items() if value is not None}
        self._secret = secret or _from_environment
        scheme, _, place = settings["path"].partition("://")
        self.bucket_name, _, prefix = place.partition("/")
        self.place = f"{scheme}://{place}"
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._downloads = Downloads(
            f"{self.place} {settings.get('endpoint_url', '')} {settings.get('account_name', '')}"
        )
        self._patience: Patience | None = None
        self._owner = 0
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any]:
        """As they were given: secrets as references."""
        return dict(self._settings)

    @abstractmethod
    def open(self, fields: dict[str, Any]) -> Bucket:
        """The bucket, not connected yet; `fields` are the settings with the values of secrets filled in."""

    async def upload(self, patience: Patience, key: str, path: Path, size: int) -> None:
        """Send a large file as one object; `key` is a whole one. Raises Failed."""
        await upload(patience, key, path, size)

    def drive(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """What a coroutine gives; on fsspec's own thread."""
        from fsspec.asyn import get_loop, sync

        answer: _T = sync(get_loop(), work)
        return answer

    def prepare(self) -> None:
        """Import what connecting needs. Raises StoreError when it is not installed."""
        from importlib import import_module

        for module in self.modules:
            try:
                import_module(module)
            except ImportError as error:
                raise StoreError(
                    f"the artifact store {self.place} needs '{error.name or module}', which is not installed",
                    f"install it: runner integrations install {self.extra}",
                ) from error

    def put(self, key: str, data: bytes) -> None:
        self._do("write", key, lambda bucket: bucket.write(self._key(key), data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """As the contract says, by the provider's conditional put.

        An answer may get lost on its way and the request be sent again, be it by the provider's library: then the
        object that is found there already is ours, which the mark beside it tells.
        """
        mark = os.urandom(8).hex()
        try:
            self._do("write", key, lambda bucket: bucket.write(self._key(key), data, mark))
        except _Exists:
            found = self._do("read", key, lambda bucket: bucket.look(self._key(key)))
            return found.mark == mark
        return True

    def put_file(self, key: str, path: Path) -> None:
        try:
            size = os.stat(path).st_size
            if self.size(key) == size:
                return
            if size <= MODEST:
                return self.put(key, path.read_bytes())
            self._run("write", key, lambda patience: self.upload(patience, self._key(key), path, size))
        except OSError as error:
            raise refused(error, f"cannot read '{path}'", path.parent) from error

    def get(self, key: str) -> bytes:
        return self._do("read", key, lambda bucket: bucket.read(self._key(key)))

    def copy(self, source: str, target: str) -> None:
        self._do("write", source, lambda bucket: bucket.copy(self._key(source), self._key(target)))

    def fetch(self, key: str) -> Path:
        found = self._do("read", key, lambda bucket: bucket.look(self._key(key)))
        return self._downloads.get(f"{key} {found.tag}", found.size, lambda file: self._download(key, found, file))

    def size(self, key: str) -> int | None:
        try:
            return self._do("read", key, lambda bucket: bucket.look(self._key(key))).size
        except ObjectMissing:
            return None

    def list(self, prefix: str) -> Iterator[str]:
        for page in self._pages(prefix, ""):
            yield from sorted(page.keys)  # providers differ in how they sort what is no ASCII

    def names(self, prefix: str) -> Iterator[str]:
        """A request for a thousand names or so, however many keys stand behind them."""
        last = None
        for page in self._pages(prefix, "/"):
            for name in sorted({key.removesuffix("/") for key in (*page.keys, *page.folders)}):
                if name != last:
                    yield name[len(prefix) :]
                last = name

    def delete(self, prefix: str) -> None:
        keys = [prefix] if prefix and not prefix.endswith("/") else list(self.list(prefix))
        most = self._bucket_class().most_deleted
        for start in range(0, len(keys), most):
            several = [self._key(key) for key in keys[start : start + most]]
            self._do("delete", prefix, lambda bucket, several=several: bucket.remove(several))  # type: ignore[misc]

    def scratch(self) -> Path:
        return self._downloads.scratch()

    def sweep(self) -> None:
        self._downloads.sweep()

    # -- how it is done ------------------------------------------------------------------------------------------------

    @abstractmethod
    def _bucket_class(self) -> type[Bucket]: ...

    def _key(self, key: str) -> str:
        parts = key.split("/")
        if "" in parts or ".." in parts or "." in parts or not _encodable(key):
            raise StoreError(f"{key!r} is no key of an artifact store", "keys look like 'runs/r1/deployment.json'")
        return self._prefix + key

    def _pages(self, prefix: str, delimiter: str) -> Iterator[Page]:
        start = f"{self._key(prefix.removesuffix('/'))}/" if prefix else self._prefix
        rest, first = None, True
        cut = len(self._prefix)
        while first or rest is not None:
            page = self._do("list", prefix, lambda bucket, rest=rest: bucket.page(start, delimiter, rest))  # type: ignore[misc]
            yield Page([key[cut:] for key in page.keys], [folder[cut:] for folder in page.folders])
            rest, first = page.rest, False

    def _download(self, key: str, found: Found, file: int) -> None:
        self._run("read", key, lambda patience: download(patience, self._key(key), found.size, file))

    def _do(self, verb: str, key: str, make: Callable[[Bucket], Awaitable[_T]]) -> _T:
        """One request, tried again while that may help."""

        async def work(patience: Patience) -> _T:
            answer, _ = await patience.request(lambda: make(patience.bucket))
            return answer

        return self._run(verb, key, work)

    def _run(self, verb: str, key: str, work: Callable[[Patience], Awaitable[_T]]) -> _T:
        """The result of several requests, or of one. Raises ObjectMissing, _Exists, StoreError."""
        patience = self._connected()

        async def guarded() -> tuple[_T | None, Failed | None]:
            try:
                return await work(patience), None
            except Failed as failed:
                return None, failed

        answer, failed = self.drive(guarded)
        if failed is not None:
            self._raise(verb, key, failed)
        return cast(_T, answer)

    def _connected(self) -> Patience:
        if self._owner != os.getpid():
            if self._patience is not None:
                _abandoned.append(self._patience.bucket)
            self._patience, self._lock, self._owner = None, threading.Lock(), os.getpid()
        if self._patience is None:
            with self._lock:
                if self._patience is None:
                    self._patience = self._connect()
        return self._patience

    def _connect(self) -> Patience:
        self.prepare()
        fields = {name: self._filled(value) for name, value in self._settings.items()}
        bucket = self.open(fields)
        try:
            self.drive(bucket.connect)
        except StoreError:
            raise
        except Exception as error:
            trouble = bucket.trouble(error)
            raise StoreError(
                f"cannot open the artifact store {self.place}: {trouble.words}", bucket.login_help
            ) from error
        return Patience(bucket)

    def _filled(self, value: Any) -> Any:
        match = _SECRET.fullmatch(value) if isinstance(value, str) else None
        return self._secret(match[1]) if match else value

    def _raise(self, verb: str, key: str, failed: Failed) -> None:
        kind, words = failed.trouble
        if kind == MISSING:
            raise ObjectMissing(key) from failed
        if kind == EXISTS:
            raise _Exists from failed
        message, help = self._explained(verb, kind, words, failed.tries)
        raise StoreError(f"cannot {verb} '{key}' in {self.place}: {message}" if key else message, help) from failed

    def _explained(self, verb: str, kind: str, words: str, tries: int) -> tuple[str, str]:
        bucket = self._bucket_class()
        endpoint = self._settings.get("endpoint_url")
        if kind == DENIED:
            right = bucket.rights[verb]
            return f"permission denied ({words})", f"give this login {right} on {bucket.noun} '{self.bucket_name}'"
        if kind == LOGIN:
            return f"the login was refused ({words})", bucket.login_help
        if kind == BUCKET:
            more = f" at {endpoint}" if endpoint else ""
            return f"there is no {bucket.noun} '{self.bucket_name}'{more}", "make it first, or mend the store's `path`"
        if kind == UNREACHABLE:
            where = endpoint or "the provider"
            return f"{where} cannot be reached: {words}", "check the network and the store's `endpoint_url`"
        if kind == TRANSIENT:
            return f"gave up after {tries} tries: {words}", "try again later: `runner runs resume` goes on"
        return words, f"check the store's settings and {bucket.noun} '{self.bucket_name}'"


class _Exists(Exception):
    """There is an object already."""


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise StoreError(
            f"secret '{name}' of the artifact store is not set",
            f"the secret store is the environment: set the variable {name}",
        )
    return value


def _encodable(key: str) -> bool:
    return "\0" not in key and key == key.encode("utf-8", "replace").decode()
