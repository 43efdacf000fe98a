"""Google Cloud Storage, through gcsfs: its login and its HTTP session, our own retries and requests to the JSON API."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from runner.artifact_store.base import StoreError
from runner.artifact_store.bucket import (
    BUCKET,
    DENIED,
    EXISTS,
    LOGIN,
    MARK,
    MISSING,
    OTHER,
    PASSING,
    TRANSIENT,
    Bucket,
    Found,
    Page,
    Trouble,
    network_trouble,
)
from runner.artifact_store.remote import RemoteArtifactStore

AT_ONCE = 16
"""Objects that are removed at a time."""


class GcsArtifactStore(RemoteArtifactStore):
    """Objects of a bucket. `put_if_absent` is a put with ifGenerationMatch=0, `copy` is done by the service."""

    modules = ("gcsfs.core",)
    extra = "gcs"

    def open(self, fields: dict[str, Any]) -> Bucket:
        import warnings

        from gcsfs.core import GCSFileSystem  # not the one for buckets with folders: it asks for their layout first

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no project: objects need none
            try:
                files = GCSFileSystem(
                    project=None,
                    token=_token(fields),
                    endpoint_url=fields.get("endpoint_url"),
                    access="read_write",
                    skip_instance_cache=True,
                    use_listings_cache=False,
                )
            except Exception as error:  # of many libraries; there was no request to the store itself yet
                words = f"`credentials` lacks {error}" if isinstance(error, KeyError) else str(error)
                raise StoreError(f"cannot log in to {self.place}: {words}", GcsBucket.login_help) from error
        return GcsBucket(self.bucket_name, files, fields.get("project"))

    def _bucket_class(self) -> type[Bucket]:
        return GcsBucket


class _Answered(Exception):
    """The service answered with a status that is no success."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status = status
        self.content = content


class GcsBucket(Bucket):
    """A bucket of Google Cloud Storage."""

    rights = {
        "read": "storage.objects.get",
        "write": "storage.objects.create and storage.objects.delete (to replace)",
        "list": "storage.objects.list",
        "delete": "storage.objects.delete",
    }
    login_help = "check `credentials`, or log in with: gcloud auth application-default login"
    most_deleted = 100
    in_order = True

    def __init__(self, name: str, files: Any, billed: str | None) -> None:
        super().__init__(name)
        self.files = files
        self.billed = billed

    async def connect(self) -> None:
        self.session = await self.files._set_session()

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        headers = {} if end is None else {"Range": f"bytes={start}-{end - 1}"}
        _, _, content = await self._ask("GET", self._object(key), {"alt": "media"}, headers)
        return content

    async def write(self, key: str, data: bytes, mark: str = "") -> None:
        query = {"uploadType": "multipart"} | ({"ifGenerationMatch": "0"} if mark else {})
        kind, body = _parts({"name": key} | ({"metadata": {MARK: mark}} if mark else {}), data)
        await self._ask("POST", self._upload(), query, {"Content-Type": kind}, body)

    async def begin(self, key: str, size: int) -> Any:
        headers = {"X-Upload-Content-Type": "application/octet-stream", "X-Upload-Content-Length": str(size)}
        query = {"uploadType": "resumable", "name": key}
        _, answer, _ = await self._ask(
            "POST", self._upload(), query, headers | {"Content-Type": "application/json"}, b"{}"
        )
        return answer["Location"], size

    async def add(self, handle: Any, number: int, offset: int, data: bytes) -> Any:
        place, size = handle
        headers = {"Content-Range": f"bytes {offset}-{offset + len(data) - 1}/{size}"}
        await self._ask("PUT", place, {}, headers, data)

    async def finish(self, handle: Any, parts: Sequence[Any]) -> None:
        """The last part has made the object."""

    async def abandon(self, handle: Any) -> None:
        await self._ask("DELETE", handle[0], {}, {"Content-Length": "0"})

    async def look(self, key: str) -> Found:
        found = await self._json("GET", self._object(key), {"fields": "size,generation,metadata"})
        return Found(int(found["size"]), str(found["generation"]), found.get("metadata", {}).get(MARK, ""))

    async def page(self, prefix: str, delimiter: str, rest: Any) -> Page:
        query = {"prefix": prefix, "delimiter": delimiter, "pageToken": rest}
        query |= {"fields": "items(name),prefixes,nextPageToken"}
        found = await self._json("GET", f"{self._api()}/b/{self.name}/o", query)
        keys = [item["name"] for item in found.get("items") or ()]
        return Page(keys, list(found.get("prefixes") or ()), found.get("nextPageToken"))

    async def remove(self, keys: Sequence[str]) -> None:
        """As many requests as there are keys, some at a time: unlike the others, this service has no bulk request that
        does not have to be put together and taken apart by hand."""
        at_once = asyncio.Semaphore(AT_ONCE)

        async def remove(key: str) -> None:
            async with at_once:
                await self._remove(key)

        await asyncio.gather(*map(remove, keys))

    async def copy(self, source: str, target: str) -> None:
        place = f"{self._object(source)}/rewriteTo/b/{self.name}/o/{quote(target, safe='')}"
        answer: dict[str, Any] = {}
        while not answer.get("done"):
            answer = await self._json("POST", place, {"rewriteToken": answer.get("rewriteToken")})

    def trouble(self, error: Exception) -> Trouble:
        if isinstance(error, _Answered):
            return _meant(error.status, error.content)
        if type(error).__module__.startswith("google.auth"):
            kind = TRANSIENT if getattr(error, "retryable", False) else LOGIN
            return Trouble(kind, str(error))
        if type(error).__module__.startswith("requests."):  # google.auth asks for its tokens by it
            return Trouble(TRANSIENT, str(error))
        if (code := getattr(error, "code", None)) == 401:
            return Trouble(LOGIN, str(error))
        words = f"{type(error).__name__}: {error}"
        return Trouble(TRANSIENT, words) if code in PASSING else network_trouble(error) or Trouble(OTHER, words)

    async def _remove(self, key: str) -> None:
        try:
            await self._ask("DELETE", self._object(key), {}, {})
        except _Answered as answer:
            if answer.status != 404 or _meant(404, answer.content).kind == BUCKET:
                raise

    async def _json(self, method: str, place: str, query: Mapping[str, Any]) -> dict[str, Any]:
        _, _, content = await self._ask(method, place, query, {})
        found: dict[str, Any] = json.loads(content)
        return found

    async def _ask(
        self, method: str, place: str, query: Mapping[str, Any], headers: Mapping[str, str], data: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        from aiohttp import ClientTimeout
        from yarl import URL

        asked = {name: str(value) for name, value in query.items() if value}
        if self.billed:
            asked["userProject"] = self.billed
        sent = dict(headers)
        self.files.credentials.apply(sent)
        async with self.session.request(
            method,
            URL(place, encoded=True).update_query(asked) if asked else URL(place, encoded=True),
            headers=sent,
            data=data,
            timeout=ClientTimeout(total=None, sock_connect=10, sock_read=30),
        ) as answer:
            content = await answer.read()
            if answer.status >= 400 or answer.status == 304:
                raise _Answered(answer.status, content)
            return answer.status, answer.headers, content

    def _api(self) -> str:
        return str(self.files.base).rstrip("/")

    def _object(self, key: str) -> str:
        return f"{self._api()}/b/{self.name}/o/{quote(key, safe='')}"

    def _upload(self) -> str:
        return f"{self._api().removesuffix('/storage/v1')}/upload/storage/v1/b/{self.name}/o"


def _parts(about: Mapping[str, Any], data: bytes) -> tuple[str, bytes]:
    """The type and the body of a multipart/related message: an object's description and its content."""
    mark = secrets.token_hex(16)
    head = f"--{mark}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(about)}\r\n"
    head += f"--{mark}\r\nContent-Type: application/octet-stream\r\n\r\n"
    return f"multipart/related; boundary={mark}", head.encode() + data + f"\r\n--{mark}--\r\n".encode()


def _meant(status: int, content: bytes) -> Trouble:
    try:
        words = str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        words = content[:200].decode("utf-8", "replace")
    said = f"{status} {words}".strip()
    if status == 404:
        return Trouble(BUCKET if "bucket does not exist" in words else MISSING, said)
    if status == 412:
        return Trouble(EXISTS, said)
    if status in PASSING:
        return Trouble(TRANSIENT, said)
    return Trouble({401: LOGIN, 403: DENIED}.get(status, OTHER), said)


def _token(fields: Mapping[str, Any]) -> Any:
    if "credentials" in fields:
        try:
            return json.loads(fields["credentials"])
        except ValueError:
            raise StoreError(
                "the secret that `credentials` names is not the JSON key of a service account",
                "store the whole content of the key's file under that name",
            ) from None
    return "anon" if "endpoint_url" in fields else "google_default"
