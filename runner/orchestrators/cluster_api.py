"""A cluster's API over the SDK's own connection: objects are plain data, and every request is counted. Shared by the
flavors that reach a cluster.

The SDK brings what is hard: kubeconfigs, logins that run out, certificates, proxies. Its models stay out: importing
them takes longer than a pod's start.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from runner import integrations
from runner.errors import EngineError
from runner.orchestrators.in_cluster import InCluster

# plural → the path that its objects are under
GROUPS = {
    "pods": "/api/v1",
    "secrets": "/api/v1",
    "events": "/api/v1",
    "resourcequotas": "/api/v1",
    "serviceaccounts": "/api/v1",
    "namespaces": "/api/v1",
    "jobs": "/apis/batch/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "selfsubjectaccessreviews": "/apis/authorization.k8s.io/v1",
    "localsubjectaccessreviews": "/apis/authorization.k8s.io/v1",
}
NO_NAMESPACE = ("namespaces", "selfsubjectaccessreviews")
SECONDS = 30.0  # for one answer that is no stream
CONNECT = 10.0  # for a connection
REACH = "is the cluster up, and can it be reached from here? try: kubectl get pods"
MERGED = "application/apply-patch+yaml"  # what server-side apply calls what it takes; JSON is YAML
OWNER = "runner"  # of fields, as server-side apply keeps them apart
_CONNECTION = re.compile(r"^HTTPS?Connection\([^)]*\): ")  # urllib3's own word for where, which is told already

Object = dict[str, Any]


class Refused(EngineError):
    """The cluster answered, and not with what was asked for. `status` is the HTTP status, 0 when it did not answer;
    `reason` the API's own word for it, as in AlreadyExists."""

    def __init__(self, message: str, status: int = 0, reason: str = "", help: str | None = None) -> None:
        super().__init__(message, help)
        self.status = status
        self.reason = reason


class Expired(Refused):
    """What a watch wanted to go on from is too long ago: list anew."""


def connect(
    context: str | None, namespace: str, *, integration: str = "kubernetes", seconds: float = SECONDS
) -> Cluster:
    """The cluster that a context of the kubeconfig leads to; with None the one that this process runs in.

    `integration` is whose SDK it is; `seconds` are waited for one answer that is no stream. Raises EngineError
    when the SDK is not there or no way to a cluster is known.
    """
    if context is None:
        return Cluster(InCluster(), namespace, seconds)
    if not (found := integrations.sdk(integration)).ok:
        raise EngineError(found.told, found.help)
    from kubernetes import config

    try:
        return Cluster(config.new_client_from_config(context=context), namespace, seconds)
    except config.ConfigException as error:
        if f"Expected object with name {context} " in str(error):
            raise EngineError(f"the kubeconfig has no context '{context}'", _contexts()) from error
        help = "is there a kubeconfig? KUBECONFIG names it; ~/.kube/config is the usual one"
        raise EngineError(f"no way to the cluster is known: {error}", help) from error


def _contexts() -> str:
    """Those that there are; the SDK tells them only of a kubeconfig that names one as the current one."""
    from kubernetes import config

    try:
        return f"it has: {', '.join(each['name'] for each in config.list_kube_config_contexts()[0]) or 'none'}"
    except config.ConfigException:
        return "list them: kubectl config get-contexts"


class Cluster:
    """The objects of one namespace. `calls` counts requests: "verb plural" → how many.

    May be used by several threads. All methods raise Refused.
    """

    def __init__(self, api: Any, namespace: str, seconds: float = SECONDS) -> None:
        self.namespace = namespace
        self.seconds = seconds
        self.calls: Counter[str] = Counter()
        self._configuration = api.configuration
        self._pool = api.rest_client.pool_manager
        self.host = str(api.configuration.host)

    def get(self, plural: str, name: str) -> Object | None:
        """An object; None when there is none of this name."""
        try:
            return self._json("get", plural, "GET", self._path(plural, name))
        except Refused as error:
            if error.status == 404 and error.reason == "NotFound":
                return None
            raise

    def create(self, plural: str, body: Mapping[str, Any]) -> Object:
        """Make an object; reason AlreadyExists when there is one of this name."""
        return self._json("create", plural, "POST", self._path(plural), body)

    def delete(self, plural: str, name: str, *, grace: int | None = None, propagation: str | None = None) -> bool:
        """Delete an object; False when it is gone already. `grace` in seconds, `propagation` as in Foreground."""
        options = {"gracePeriodSeconds": grace, "propagationPolicy": propagation}
        body = {"apiVersion": "v1", "kind": "DeleteOptions"} | {k: v for k, v in options.items() if v is not None}
        try:
            self._json("delete", plural, "DELETE", self._path(plural, name), body)
        except Refused as error:
            if error.status == 404:
                return False
            raise
        return True

    def list(self, plural: str, selector: str = "", fields: str = "") -> tuple[list[Object], str]:
        """The objects whose labels and `fields` match, and the collection's version: where a watch goes on from."""
        query = {"labelSelector": selector} if selector else {}
        query |= {"fieldSelector": fields} if fields else {}
        found = self._json("list", plural, "GET", self._path(plural, **query))
        return found.get("items") or [], str(found["metadata"].get("resourceVersion", ""))

    def watch(self, plural: str, selector: str, version: str, seconds: int = 300) -> Watch:
        """What happens from this version on. Raises Expired when that is too long ago."""
        query: dict[str, Any] = {"watch": 1, "resourceVersion": version, "timeoutSeconds": seconds}
        query |= {"allowWatchBookmarks": "true", **({"labelSelector": selector} if selector else {})}
        # The cluster ends it in time: one that does not has vanished without a word.
        return Watch(self._stream("watch", plural, self._path(plural, **query), seconds + SECONDS))

    def log(self, pod: str, *, follow: bool = False, container: str | None = None, tail: int | None = None) -> Any:
        """What a pod's container prints, as a stream of bytes (`stream`, `close`); with `follow`, until it ends."""
        query: dict[str, Any] = {"follow": "true"} if follow else {}
        query |= {"container": container} if container else {}
        query |= {"tailLines": tail} if tail is not None else {}
        return self._stream("log", "pods", self._path("pods", f"{pod}/log", **query))

    def apply(self, plural: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Server-side apply: the object as it is then, or as it would be."""
        query = {"fieldManager": OWNER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        path = self._path(plural, body["metadata"]["name"], **query)
        return self._json("apply", plural, "PATCH", path, body, MERGED)

    def may(self, verb: str, plural: str, group: str = "", subresource: str = "", account: str = "") -> bool:
        """Whether whoever is logged in may do this in the namespace, as the cluster says; with `account`, whether that
        service account of the namespace may, which not everybody may ask."""
        asked = {"namespace": self.namespace, "verb": verb, "group": group, "resource": plural}
        asked |= {"subresource": subresource} if subresource else {}
        kind = "SelfSubjectAccessReview"
        spec: Object = {"resourceAttributes": asked}
        if account:
            kind, groups = "LocalSubjectAccessReview", ["system:serviceaccounts", "system:authenticated"]
            groups += [f"system:serviceaccounts:{self.namespace}"]
            spec |= {"user": f"system:serviceaccount:{self.namespace}:{account}", "groups": groups}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        body |= {"metadata": {"namespace": self.namespace}} if account else {}
        return bool(self.create(f"{kind.lower()}s", body).get("status", {}).get("allowed"))

    def version(self) -> str:
        """The cluster's, as in v1.31.2."""
        return str(self._json("get", "version", "GET", "/version").get("gitVersion", ""))

    def close(self) -> None:
        self._pool.clear()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _path(self, plural: str, name: str = "", **query: Any) -> str:
        place = "" if plural in NO_NAMESPACE else f"/namespaces/{self.namespace}"
        path = f"{GROUPS[plural]}{place}/{plural}" + (f"/{name}" if name else "")
        return f"{path}?{urlencode(query)}" if query else path

    def _json(
        self, verb: str, plural: str, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> Object:
        answer = self._request(verb, plural, method, path, body, kind, stream=False)
        found: Object = json.loads(answer.data)
        return found

    def _stream(self, verb: str, plural: str, path: str, seconds: float | None = None) -> Any:
        return self._request(verb, plural, "GET", path, None, "", stream=True, seconds=seconds)

    def _request(
        self,
        verb: str,
        plural: str,
        method: str,
        path: str,
        body: Any,
        kind: str,
        *,
        stream: bool,
        seconds: float | None = None,
    ) -> Any:
        """The answer; `seconds` may pass between two pieces of a stream, None for any time."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        self.calls[f"{verb} {plural}"] += 1
        headers = {"Accept": "application/json", "User-Agent": "runner"}
        headers |= {each["key"]: each["value"] for each in self._configuration.auth_settings().values()}
        headers |= {"Content-Type": kind} if body is not None else {}
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        try:
            answer = self._pool.request(
                method,
                f"{self.host}{path}",
                body=data,
                headers=headers,
                preload_content=not stream,
                timeout=Timeout(connect=min(CONNECT, self.seconds), read=seconds if stream else self.seconds),
                retries=False,
            )
        except HTTPError as error:
            raise Refused(f"the cluster at {self.host} does not answer: {_first(error)}", help=REACH) from error
        if answer.status >= 400:
            raise _refusal(answer, verb, plural)
        return answer


class Watch:
    """Events of a watch: (type, object), until the cluster ends it or `close` does, from whatever thread."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self._closed = False

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        from urllib3.exceptions import HTTPError

        rest = b""
        try:
            for chunk in self._answer.stream(65536, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield self._event(json.loads(line))
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            if not self._closed:  # a connection that is closed under its reader fails in many ways
                raise Refused(f"the cluster stopped answering: {_first(error)}", help=REACH) from error

    def close(self) -> None:
        self._closed = True
        closed(self._answer)

    def _event(self, told: Object) -> tuple[str, Object]:
        found = told["object"]
        if told["type"] == "ERROR":
            kind = Expired if found.get("code") == 410 else Refused
            raise kind(str(found.get("message", found)), int(found.get("code") or 0), str(found.get("reason", "")))
        return told["type"], found


def closed(answer: Any) -> None:
    """Close a stream, waking up whoever reads it in another thread."""
    import contextlib
    import socket

    connection = getattr(answer, "connection", None) or getattr(answer, "_connection", None)
    sock = getattr(connection, "sock", None)
    with contextlib.suppress(OSError, AttributeError):
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):  # what is closed under its reader fails in many ways
        answer.close()


def _refusal(answer: Any, verb: str, plural: str) -> Refused:
    """An answer's own words. A status object of the API has them; a proxy before it has none."""
    text = answer.data if answer.data is not None else b""
    try:
        told = json.loads(text)
        message, reason = str(told.get("message") or told), str(told.get("reason", ""))
    except (ValueError, AttributeError):
        message, reason = text.decode("utf-8", "replace")[:200].strip() or str(answer.reason), ""
    help = {
        401: "log in to the cluster anew",
        403: f"the right to {verb} {plural} is missing: ask whoever runs the cluster for a role that has it",
    }.get(answer.status)
    kind = Expired if answer.status == 410 else Refused
    return kind(f"the cluster refused: {message}", answer.status, reason, help)


def _first(error: BaseException) -> str:
    """What went wrong below HTTP, in one line."""
    cause = getattr(error, "reason", None) or error
    lines = str(cause).strip().splitlines()
    return _CONNECTION.sub("", lines[0]) if lines else type(error).__name__
