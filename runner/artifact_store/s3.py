"""Amazon S3 and services of its protocol, through s3fs: its session and its client, our own retries and requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

_LOGIN = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "AuthFailure",
    "UnrecognizedClientException",
}
_PASSING = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "Throttling"}
_sessions: dict[str | None, Any] = {}  # profile → session with the service's description loaded, for forked children


class S3ArtifactStore(RemoteArtifactStore):
    """Objects of a bucket. `put_if_absent` is S3's conditional put (If-None-Match), `copy` is done by the service."""

    modules = ("s3fs",)
    extra = "s3"

    def prepare(self) -> None:
        """Import s3fs and read the description of S3, which takes longer than a request."""
        super().prepare()
        profile = self._settings.get("profile")
        if profile not in _sessions:
            _sessions[profile] = _session(profile)

    def open(self, fields: dict[str, Any]) -> Bucket:
        from s3fs import S3FileSystem

        files = S3FileSystem(
            session=_sessions[fields.get("profile")],
            key=fields.get("access_key_id"),
            secret=fields.get("secret_access_key"),
            token=fields.get("session_token"),
            endpoint_url=fields.get("endpoint_url"),
            client_kwargs={"region_name": fields["region"]} if "region" in fields else {},
            config_kwargs=_config(fields),
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        return S3Bucket(self.bucket_name, files)

    def _bucket_class(self) -> type[Bucket]:
        return S3Bucket


class S3Bucket(Bucket):
    """A bucket of S3."""

    rights = {
        "read": "s3:GetObject (and s3:ListBucket, to be told of objects that are not there)",
        "write": "s3:PutObject",
        "list": "s3:ListBucket",
        "delete": "s3:DeleteObject",
    }
    login_help = "check access_key_id and secret_access_key, `profile`, or what `aws sts get-caller-identity` says"

    def __init__(self, name: str, files: Any) -> None:
        super().__init__(name)
        self.files = files

    async def connect(self) -> None:
        self.client = await self.files.set_session()

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        part = {} if end is None else {"Range": f"bytes={start}-{end - 1}"}
        answer = await self.client.get_object(Bucket=self.name, Key=key, **part)
        async with answer["Body"] as body:
            data: bytes = await body.read()
        return data

    async def write(self, key: str, data: bytes, mark: str = "") -> None:
        condition = {"IfNoneMatch": "*", "Metadata": {MARK: mark}} if mark else {}
        await self.client.put_object(Bucket=self.name, Key=key, Body=data, **condition)

    async def begin(self, key: str, size: int) -> Any:
        answer = await self.client.create_multipart_upload(Bucket=self.name, Key=key)
        return key, answer["UploadId"]

    async def add(self, handle: Any, number: int, offset: int, data: bytes) -> Any:
        key, upload = handle
        answer = await self.client.upload_part(Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=data)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    async def finish(self, handle: Any, parts: Sequence[Any]) -> None:
        key, upload = handle
        await self.client.complete_multipart_upload(
            Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": list(parts)}
        )

    async def abandon(self, handle: Any) -> None:
        key, upload = handle
        await self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)

    async def look(self, key: str) -> Found:
        answer = await self.client.head_object(Bucket=self.name, Key=key)
        return Found(answer["ContentLength"], answer["ETag"], answer.get("Metadata", {}).get(MARK, ""))

    async def page(self, prefix: str, delimiter: str, rest: Any) -> Page:
        more = {"ContinuationToken": rest} if rest else {}
        more |= {"Delimiter": delimiter} if delimiter else {}
        answer = await self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, **more)
        keys = [found["Key"] for found in answer.get("Contents", ())]
        folders = [found["Prefix"] for found in answer.get("CommonPrefixes", ())]
        return Page(keys, folders, answer.get("NextContinuationToken"))

    async def remove(self, keys: Sequence[str]) -> None:
        objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = await self.client.delete_objects(Bucket=self.name, Delete=objects)
        for error in answer.get("Errors", ()):
            raise _NotRemoved(error)

    async def copy(self, source: str, target: str) -> None:
        await self.client.copy_object(Bucket=self.name, Key=target, CopySource={"Bucket": self.name, "Key": source})

    def trouble(self, error: Exception) -> Trouble:
        from botocore import exceptions

        if isinstance(error, exceptions.ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return _answered(status, error.response.get("Error", {}))
        if isinstance(error, _NotRemoved):
            return _answered(0, error.error)
        words = str(error) or type(error).__name__
        if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
            return Trouble(UNREACHABLE, words)
        if isinstance(error, exceptions.SSLError | exceptions.ProxyConnectionError):
            return Trouble(OTHER, words)
        if isinstance(error, exceptions.HTTPClientError | exceptions.IncompleteReadError):
            return Trouble(TRANSIENT, words)
        if isinstance(error, exceptions.ResponseStreamingError):
            return Trouble(TRANSIENT, words)
        if type(error).__name__ in _WITHOUT_LOGIN:
            return Trouble(LOGIN, words)
        return network_trouble(error) or Trouble(OTHER, f"{type(error).__name__}: {words}")


_WITHOUT_LOGIN = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "MetadataRetrievalError",
}


class _NotRemoved(Exception):
    """One of many objects was not removed."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.error = error


def _answered(status: int, error: dict[str, Any]) -> Trouble:
    """What the service said. An answer to HEAD has a status only."""
    code, words = str(error.get("Code", "")), str(error.get("Message", ""))
    said = f"{code}: {words}" if words and words != code else code
    if code == "NoSuchBucket":
        return Trouble(BUCKET, said)
    if code in ("NoSuchKey", "404", "NotFound"):
        return Trouble(MISSING, said)
    if status == 412 or code == "PreconditionFailed":
        return Trouble(EXISTS, said)
    if code in _LOGIN or status == 401:
        return Trouble(LOGIN, said)
    if status in PASSING or code in _PASSING or code == "ConditionalRequestConflict":
        return Trouble(TRANSIENT, f"{status} {said}".strip())
    if status == 403 or code == "AccessDenied":
        return Trouble(DENIED, said)
    return Trouble(OTHER, said or f"status {status}")


def _config(fields: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "connect_timeout": 10,
        "read_timeout": 30,
        "max_pool_connections": 32,
        "retries": {"total_max_attempts": 1},  # how often, and for how long, is decided in one place: Patience
    }
    if "endpoint_url" in fields:  # services of other makers do not know the checksums that Amazon's asks for
        config |= {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    return config


def _session(profile: str | None) -> Any:
    from aiobotocore.session import AioSession

    session = AioSession(profile=profile)
    loader = session.get_component("data_loader")
    for name in ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"):
        loader.load_service_model("s3", name)
    loader.load_data_with_path("endpoints")
    loader.load_data("partitions")
    loader.load_data("sdk-default-configuration")
    return session
