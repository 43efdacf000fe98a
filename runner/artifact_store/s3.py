"""Amazon S3 and services of its protocol, through obstore: its requests and its connections, our own retries."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from runner.artifact_store.blocking import BlockingBucket, interruptibly, result_of
from runner.artifact_store.bucket import (
    LONGEST_WAIT,
    MARK,
    OTHER,
    PATIENCE,
    Bucket,
    Failed,
    Found,
    Page,
    Patience,
    Trouble,
)
from runner.artifact_store.obstore_library import library
from runner.artifact_store.remote import RemoteArtifactStore
from runner.artifact_store.s3_answers import meant
from runner.artifact_store.s3_login import keys_of, metadata_endpoint, place_of, prepare, token_endpoint
from runner.artifact_store.transfers import AT_ONCE, part_size

_T = TypeVar("_T")

SMALL = 1024 * 1024
"""Bytes up to which an object is written under the same limits of time as it is read."""

PAGE = 1000
"""Keys that the service sends at a time."""


class S3ArtifactStore(RemoteArtifactStore):
    """Objects of a bucket. `put_if_absent` is S3's conditional put (If-None-Match), `copy` is done by the service."""

    modules = ("obstore",)
    extra = "s3"

    def prepare(self) -> None:
        super().prepare()
        prepare(self._settings)

    def open(self, fields: dict[str, Any]) -> Bucket:
        return S3Bucket(self.bucket_name, fields)

    def drive(self, work: Callable[[], Awaitable[_T]]) -> _T:
        return result_of(work)

    async def upload(self, patience: Patience, key: str, path: Path, size: int) -> None:
        """In parts, of which obstore sends those again that failed, as patiently as we are."""
        bucket = patience.bucket
        assert isinstance(bucket, S3Bucket)
        try:
            await patience.request(lambda: bucket.send(key, path, size))
        except Failed:
            with contextlib.suppress(
                Failed
            ):  # when the last answer got lost, the parts are gone and the object is there
                found, _ = await patience.request(lambda: bucket.look(key))
                if found.size == size:
                    return
            raise

    def _bucket_class(self) -> type[Bucket]:
        return S3Bucket


class _Refused(Exception):
    """What obstore's error means, without its text."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.words)
        self.trouble = trouble


class S3Bucket(BlockingBucket):
    """A bucket of S3."""

    rights = {
        "read": "s3:GetObject (and s3:ListBucket, to be told of objects that are not there)",
        "write": "s3:PutObject",
        "list": "s3:ListBucket",
        "delete": "s3:DeleteObject",
    }
    login_help = "check access_key_id and secret_access_key, `profile`, or what `aws sts get-caller-identity` says"

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        super().__init__(name)
        self.place = place_of(name, fields)
        self._fields = fields
        self._slow: Any = None

    async def connect(self) -> None:
        self.obstore = library()
        self._keys: Any = keys_of(self._fields)
        self._quick = await self._ask(lambda: self._open(timedelta(seconds=30), {"max_retries": 0}))

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        if end is None:
            return await self._ask(lambda: bytes(self.obstore.get(self._quick, key).bytes()))
        return await self._ask(lambda: bytes(self.obstore.get_range(self._quick, key, start=start, end=end)))

    async def write(self, key: str, data: bytes, mark: str = "") -> None:
        condition = {"mode": "create", "attributes": {MARK: mark}} if mark else {}
        to = self._quick if len(data) <= SMALL else self._patient()
        await self._ask(lambda: self.obstore.put(to, key, data, use_multipart=False, **condition))

    async def send(self, key: str, path: Path, size: int) -> None:
        """Write a file in parts: as many requests as that takes."""
        how = {"use_multipart": True, "chunk_size": part_size(size, self.part), "max_concurrency": AT_ONCE}
        await self._ask(lambda: self.obstore.put(self._patient(), key, path, **how))
        if os.stat(path).st_size != size:
            await self.remove([key])
            raise _Refused(Trouble(OTHER, f"'{path}' was changed while it was sent"))

    async def look(self, key: str) -> Found:
        answer = await self._ask(lambda: self.obstore.get(self._quick, key, options={"head": True}))
        return Found(answer.meta["size"], answer.meta["e_tag"] or "", answer.attributes.get(MARK, ""))

    async def page(self, prefix: str, delimiter: str, rest: Any) -> Page:
        """With a delimiter everything at once: a request for a thousand names."""
        if delimiter:
            found = await self._ask(lambda: self.obstore.list_with_delimiter(self._quick, prefix or None))
            return Page([each["path"] for each in found["objects"]], list(found["common_prefixes"]))
        found = await self._ask(
            lambda: next(iter(self.obstore.list(self._quick, prefix or None, offset=rest, chunk_size=PAGE)), [])
        )
        keys = [each["path"] for each in found]
        if rest and keys and keys[0] <= rest:
            raise _Refused(Trouble(OTHER, "this service does not list from a key on (start-after)"))
        return Page(keys, [], keys[-1] if len(keys) == PAGE else None)

    async def remove(self, keys: Sequence[str]) -> None:
        await self._ask(lambda: self.obstore.delete(self._quick, list(keys)))

    async def copy(self, source: str, target: str) -> None:
        await self._ask(lambda: self.obstore.copy(self._quick, source, target))

    def trouble(self, error: Exception) -> Trouble:
        """Of an answer. What a signal raised while it was waited for is none, and goes on its way."""
        if not isinstance(error, _Refused):
            raise error
        return error.trouble

    async def _ask(self, work: Callable[[], _T]) -> _T:
        def asked() -> _T:
            try:
                return work()
            except Exception as error:
                raise _Refused(meant(error, self.place.endpoint)) from None

        return interruptibly(asked)

    def _patient(self) -> Any:
        """For what takes long to send: an answer may begin as late as that. It tries again by itself, as Patience does,
        since of an object in parts nobody else can send one again."""
        if self._slow is None:
            wait = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=LONGEST_WAIT), "base": 2}
            tries: Any = {"max_retries": 100, "retry_timeout": timedelta(seconds=PATIENCE), "backoff": wait}
            self._slow = self._open(timedelta(minutes=15), tries)
        return self._slow

    def _open(self, silence: timedelta, tries: Any) -> Any:
        from obstore.store import S3Store

        config: Any = {
            "region": self.place.region,
            "virtual_hosted_style_request": self.place.endpoint.startswith(f"https://{self.name}."),
            "aws_endpoint_url_s3": self.place.endpoint,
            "conditional_put": "etag",
            "metadata_endpoint": metadata_endpoint(),
            "aws_endpoint_url_sts": token_endpoint(self.place.region),
        }
        client: Any = {
            "allow_http": self.place.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=10),
            "read_timeout": silence,
            "timeout": timedelta(hours=6),  # for all of a request; silence is what tells
        }
        if authorities := os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE"):
            client["root_certificate"] = Path(authorities).read_bytes()
        return S3Store(
            self.name, config=config, client_options=client, retry_config=tries, credential_provider=self._keys
        )
