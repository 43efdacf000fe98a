"""Azure Blob Storage, through adlfs: its login and its client, our own retries and requests."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

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
    UNREACHABLE,
    Bucket,
    Found,
    Page,
    Trouble,
    network_trouble,
)
from runner.artifact_store.remote import RemoteArtifactStore

# How often, and for how long, is decided in one place: Patience.
_ONCE = {"retry_total": 0, "retry_connect": 0, "retry_read": 0, "retry_status": 0}
_OPTIONS: dict[str, Any] = {**_ONCE, "connection_timeout": 10, "read_timeout": 30}
_LOGIN = {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "AccountIsDisabled"}


class AzureArtifactStore(RemoteArtifactStore):
    """Blobs of a container. `put_if_absent` is Azure's conditional put, `copy` is done by the service."""

    modules = ("adlfs", "azure.storage.blob.aio")
    extra = "azure"

    def open(self, fields: dict[str, Any]) -> Bucket:
        import logging

        from adlfs import AzureBlobFileSystem

        logging.getLogger("azure.identity").setLevel(logging.ERROR)  # what it tried in vain, it says in its error too
        try:
            files = AzureBlobFileSystem(
                **_login(fields), anon=False, skip_instance_cache=True, use_listings_cache=False
            )
        except ValueError as error:
            raise StoreError(f"cannot log in to {self.place}: {error}", AzureContainer.login_help) from error
        return AzureContainer(self.bucket_name, files)

    def _bucket_class(self) -> type[Bucket]:
        return AzureContainer

    def _key(self, key: str) -> str:
        if "\\" in key:
            raise StoreError(
                f"'{key}' is no key of this artifact store", "Azure takes a backslash for a slash: use none"
            )
        return super()._key(key)


class AzureContainer(Bucket):
    """A container of Azure Blob Storage."""

    noun = "container"
    rights = dict.fromkeys(("read", "list"), "the role 'Storage Blob Data Reader' or more") | dict.fromkeys(
        ("write", "delete"), "the role 'Storage Blob Data Contributor'"
    )
    login_help = "check account_name and account_key or connection_string, or log in with: az login"
    most_deleted = 256

    def __init__(self, name: str, files: Any) -> None:
        super().__init__(name)
        self.files = files

    async def connect(self) -> None:
        self.client = self.files.service_client.get_container_client(self.name)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        part = {} if end is None else {"offset": start, "length": end - start}
        stream = await self.client.download_blob(key, **part, **_OPTIONS)
        data: bytes = await stream.readall()
        return data

    async def write(self, key: str, data: bytes, mark: str = "") -> None:
        more: dict[str, Any] = {"metadata": {MARK: mark}} if mark else {"overwrite": True}
        await self.client.upload_blob(key, data, length=len(data), **more, **_OPTIONS)

    async def begin(self, key: str, size: int) -> Any:
        return self.client.get_blob_client(key)

    async def add(self, handle: Any, number: int, offset: int, data: bytes) -> Any:
        name = base64.b64encode(f"{number:08}".encode()).decode()
        await handle.stage_block(name, data, length=len(data), **_OPTIONS)
        return name

    async def finish(self, handle: Any, parts: Sequence[Any]) -> None:
        from azure.storage.blob import BlobBlock

        await handle.commit_block_list([BlobBlock(name) for name in parts], **_OPTIONS)

    async def look(self, key: str) -> Found:
        found = await self.client.get_blob_client(key).get_blob_properties(**_OPTIONS)
        return Found(found.size, found.etag, (found.metadata or {}).get(MARK, ""))

    async def page(self, prefix: str, delimiter: str, rest: Any) -> Page:
        listing = self.client.walk_blobs if delimiter else self.client.list_blob_names
        more = {"delimiter": delimiter} if delimiter else {}
        pages = listing(name_starts_with=prefix, **more, **_OPTIONS).by_page(rest or None)
        keys: list[str] = []
        folders: list[str] = []
        async for page in pages:
            async for found in page:
                name = found if isinstance(found, str) else found.name
                (folders if delimiter and name.endswith(delimiter) else keys).append(name)
            break
        return Page(keys, folders, pages.continuation_token or None)

    async def remove(self, keys: Sequence[str]) -> None:
        answers = await self.client.delete_blobs(*keys, raise_on_any_failure=False, **_OPTIONS)
        async for answer in answers:
            if answer.status_code >= 400 and answer.status_code != 404:
                raise _NotRemoved(answer.status_code, answer.reason)

    async def copy(self, source: str, target: str) -> None:
        blob = self.client.get_blob_client(target)
        url = self.client.get_blob_client(source).url
        answer = await blob.start_copy_from_url(url, **_OPTIONS)
        status = answer["copy_status"]
        while status == "pending":  # seldom within one account
            await asyncio.sleep(0.2)
            status = (await blob.get_blob_properties(**_OPTIONS)).copy.status

    def trouble(self, error: Exception) -> Trouble:
        from azure.core import exceptions

        words = str(getattr(error, "message", "") or error).partition("\n")[0]
        if isinstance(error, _NotRemoved):
            return _meant(error.status, "", error.reason)
        if isinstance(error, exceptions.HttpResponseError) and error.status_code:
            return _meant(error.status_code, str(getattr(error, "error_code", "") or ""), words)
        if isinstance(error, exceptions.ClientAuthenticationError):
            return Trouble(LOGIN, words)
        if isinstance(error, exceptions.ServiceRequestError):
            cause = network_trouble(error.inner_exception) if error.inner_exception else None
            return cause or Trouble(UNREACHABLE, words)
        if isinstance(error, exceptions.AzureError):
            return Trouble(TRANSIENT, words)
        return network_trouble(error) or Trouble(OTHER, f"{type(error).__name__}: {words}")


class _NotRemoved(Exception):
    """One of many blobs was not removed."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason


def _meant(status: int, code: str, words: str) -> Trouble:
    if code in ("ContainerNotFound", "ContainerBeingDeleted"):
        return Trouble(BUCKET, words)
    if status == 404:
        return Trouble(MISSING, words)
    if code == "BlobAlreadyExists" or status == 412:
        return Trouble(EXISTS, words)
    if status == 401 or code in _LOGIN or "failed to authenticate" in words:
        return Trouble(LOGIN, words)
    if status == 403:
        return Trouble(DENIED, words)
    return Trouble(TRANSIENT if status in PASSING else OTHER, f"{status} {words}")


def _login(fields: dict[str, Any]) -> dict[str, Any]:
    """What adlfs is given. With a key: a connection string, which counts more than the environment's variables."""
    if "connection_string" in fields:
        return {"connection_string": fields["connection_string"]}
    name, endpoint = fields["account_name"], fields.get("endpoint_url", "")
    if "account_key" in fields:
        where = (
            f"BlobEndpoint={endpoint}" if endpoint else "DefaultEndpointsProtocol=https;EndpointSuffix=core.windows.net"
        )
        return {"connection_string": f"{where};AccountName={name};AccountKey={fields['account_key']}"}
    if endpoint.startswith("http://"):
        raise StoreError(
            f"'{endpoint}' is not encrypted, and the provider's own login is sent to nobody in the clear",
            "write account_key too, or an https:// address",
        )
    host = {"account_host": endpoint.removeprefix("https://").rstrip("/")} if endpoint else {}
    return {"account_name": name, **host}
