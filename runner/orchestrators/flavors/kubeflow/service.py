"""Kubeflow Pipelines' API, v2beta1, by the official client: runs and experiments as plain data, trouble in words."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from runner import integrations
from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.kubeflow.reading import Words, words_of
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.secrets import secret_names

SECONDS = (10.0, 60.0)  # for a connection, and for an answer
PROXY = "/api/v1/namespaces/{}/services/ml-pipeline:http/proxy"
"""Where the cluster's API passes requests on to Kubeflow's, as Kubeflow's own SDK asks for it."""
PAGE = 100  # of a list
WAITS = (0.5, 1.0, 2.0)  # seconds between tries of what can be tried again
MAY_PASS = (0, 408, 429, 500, 502, 503, 504)
NOT_FOUND, CONFLICT = 404, 409
_INVALID = re.compile("[Ii]nvalid ?[Ii]nput")  # what Kubeflow also answers 500 to, as if it were its own mistake
_NUMBER = re.compile(r"^\[Errno \d+\] ")

Run = dict[str, Any]


class Refused(EngineError):
    """Kubeflow answered, and not with what was asked for; `status` is the answer's HTTP status."""

    def __init__(self, message: str, help: str | None, status: int) -> None:
        super().__init__(message, help)
        self.status = status


def connect(settings: KubeflowSettings, secret: Callable[[str], str]) -> Service:
    """The service at the stack's address, or behind the API of its cluster.

    `secret` gives the values of the login. Raises EngineError when the SDK is not there, no way is known, or the login
    is refused.
    """
    if not (found := integrations.sdk("kubeflow")).ok:
        raise EngineError(found.told, found.help)
    import kfp_server_api

    configuration = kfp_server_api.Configuration()
    configuration.client_side_validation = False  # a state of a version to come is no reason to end
    if settings.kubeflow_hostname is None:
        _through_the_cluster(configuration, settings)
        return Service(kfp_server_api.ApiClient(configuration), configuration.host, settings.user_namespace)
    configuration.host = settings.kubeflow_hostname.rstrip("/")
    if settings.ca_certificate is not None:
        if not os.path.isfile(settings.ca_certificate):
            raise EngineError(
                f"ca_certificate '{settings.ca_certificate}' is no file, seen from '{os.getcwd()}'",
                "write its path from where runner is started, or from the root: /etc/ssl/own/ca.pem",
            )
        configuration.ssl_ca_cert = settings.ca_certificate
    if settings.token is not None:
        configuration.api_key["authorization"] = f"Bearer {_value(settings.token, secret)}"
    client = kfp_server_api.ApiClient(configuration)
    if settings.username is not None and settings.password is not None:
        from runner.orchestrators.flavors.kubeflow.logins import log_in  # all of HTTP, which few need

        password = _value(settings.password, secret)
        login = log_in(configuration.host, settings.username, password, settings.ca_certificate)
        for header, value in login.items():
            client.set_default_header(header, value)
    return Service(client, configuration.host, settings.user_namespace)


class Service:
    """The runs of one Kubeflow. `namespace` is the user's, where it serves several.

    All methods raise Refused, and Silent when there was no answer in the end.
    """

    def __init__(self, client: Any, host: str, namespace: str | None) -> None:
        from kfp_server_api import ExperimentServiceApi, HealthzServiceApi, RunServiceApi

        self.client = client
        self.host = host
        self.namespace = namespace
        self._runs, self._experiments = RunServiceApi(client), ExperimentServiceApi(client)
        self._health = HealthzServiceApi(client)

    def health(self) -> dict[str, Any]:
        """What the service says of itself."""
        return self._patiently(lambda: self._health.healthz_service_get_healthz(_request_timeout=SECONDS))

    def experiment(self, name: str) -> str:
        """The id of the experiment of this name, which is made when it is missing."""
        for _ in range(2):
            if found := self._experiment(name):
                return found
            body = {"display_name": name} | ({"namespace": self.namespace} if self.namespace else {})
            try:
                return str(self._ask(self._experiments.experiment_service_create_experiment, body)["experiment_id"])
            except Refused as error:
                if error.status != CONFLICT:  # somebody else has just made it
                    raise
        raise Refused(f"there is an experiment '{name}', and it cannot be found", "name another experiment", CONFLICT)

    def create(self, run: Mapping[str, Any]) -> Run:
        """Start a run. Asked once only: whether it was heard must be looked for after a Silent."""
        return self._ask(self._runs.run_service_create_run, dict(run))

    def run(self, run_id: str) -> Run | None:
        """A run of this id of Kubeflow's own; None when there is none."""
        try:
            return self._patiently(lambda: self._runs.run_service_get_run(run_id, _request_timeout=SECONDS))
        except Refused as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def runs(self, part_of_name: str) -> list[Run]:
        """The runs with this in their names, the oldest first."""
        named = _is("IS_SUBSTRING", part_of_name)
        found = self._listed(self._runs.run_service_list_runs, "runs", named, self._of_user())
        return sorted(found, key=lambda run: (run.get("created_at") or "", run["run_id"]))

    def words(self, run_id: str) -> Words:
        """What the run's workflow says, which only the older API shows."""
        about: dict[str, Any] = {"path_params": {"run_id": run_id}, "response_type": "object"}
        about |= {"auth_settings": ["Bearer"], "header_params": {"Accept": "application/json"}}
        call = self.client.call_api
        found = self._patiently(lambda: call("/apis/v1beta1/runs/{run_id}", "GET", **about, _request_timeout=SECONDS))
        text = (found.get("pipeline_runtime") or {}).get("workflow_manifest") or "{}"
        return words_of(json.loads(text))

    def terminate(self, run_id: str) -> None:
        """Have a run end; nothing for one that has ended or is not there."""
        try:
            self._patiently(lambda: self._runs.run_service_terminate_run(run_id, _request_timeout=SECONDS))
        except Refused as error:
            if error.status in (401, 403):
                raise
            run = self.run(run_id)
            if run is not None and run.get("state") in ("PENDING", "RUNNING"):
                raise

    def _experiment(self, name: str) -> str:
        list_them = self._experiments.experiment_service_list_experiments
        found = self._listed(list_them, "experiments", _is("EQUALS", name), self._of_user())
        return next((str(each["experiment_id"]) for each in found if each.get("display_name") == name), "")

    def _of_user(self) -> dict[str, Any]:
        return {"namespace": self.namespace} if self.namespace else {}

    def _listed(self, list_them: Any, key: str, filter: str, where: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = {"page_size": PAGE, "page_token": token, "filter": filter, **where}
            found = self._patiently(lambda page=page: list_them(**page, _request_timeout=SECONDS))  # type: ignore[misc]
            yield from found.get(key) or ()
            token = found.get("next_page_token") or ""
            if not token:
                return

    # -- asking --------------------------------------------------------------------------------------------------------

    def _ask(self, call: Callable[..., Any], body: Any) -> dict[str, Any]:
        return self._plain(lambda: call(body, _request_timeout=SECONDS))

    def _patiently(self, call: Callable[[], Any]) -> dict[str, Any]:
        """The answer to what may be asked again."""
        for wait in WAITS:
            try:
                return self._plain(call)
            except Silent:
                time.sleep(wait)
        return self._plain(call)

    def _plain(self, call: Callable[[], Any]) -> dict[str, Any]:
        from kfp_server_api.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            call()
        except ApiException as error:
            raise self._trouble(int(error.status or 0), str(error.reason or ""), error.body or "") from error
        except HTTPError as error:
            raise Silent(f"{self.host} cannot be reached: {_cause(error)}", _REACH) from error
        # The client makes an empty object of a page in place of an answer, as that of a login: read what came itself.
        try:
            answer = json.loads(self.client.last_response.data or "{}")
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Refused(f"{self.host} answers, and not as Kubeflow Pipelines' API does", _NO_API, 200)
        return answer

    def _trouble(self, status: int, reason: str, body: str | bytes) -> EngineError:
        """An answer that is none, in words: Kubeflow's own where it gives some."""
        said = _said(body)
        if status in MAY_PASS and not _INVALID.search(said):
            told = f"Kubeflow answers {status} {reason}" if status else f"{self.host} cannot be reached: {reason}"
            return Silent(f"{told}{': ' * bool(said)}{said}", _REACH)
        if status == 401:
            return Refused(f"{self.host} does not know who asks (401){': ' * bool(said)}{said}", _LOGIN, status)
        if status == 403:
            where = f"in the namespace '{self.namespace}' " if self.namespace else ""
            return Refused(f"Kubeflow does not allow that {where}(403){': ' * bool(said)}{said}", _RIGHTS, status)
        if status == NOT_FOUND and not said:
            return Refused(f"there is no Kubeflow Pipelines API at {self.host} (404)", _NO_API, status)
        help = "set user_namespace in the stack: this Kubeflow serves several users" if "multi-user" in said else None
        return Refused(f"Kubeflow refuses it ({status}): {said or reason}", help, status)


_REACH = "is Kubeflow up, and can it be reached from here? look at kubeflow_hostname or kubernetes_context"
_LOGIN = "look at `token`, or `username` and `password`, of the orchestrator: a token may have run out"
_RIGHTS = "ask whoever runs it for rights in that namespace; where Kubeflow serves several users, set user_namespace"
_NO_API = (
    "kubeflow_hostname is the address before /apis/v2beta1, as in https://kubeflow.example.com/pipeline; one that asks "
    "for a login needs `username` and `password`, or `token`"
)


def _through_the_cluster(configuration: Any, settings: KubeflowSettings) -> None:
    """Lead requests through the cluster's own API, logged in as the kubeconfig says."""
    from kubernetes import config

    context = settings.kubernetes_context
    try:
        config.load_kube_config(client_configuration=configuration, context=context)
    except config.ConfigException as error:
        help = "is there a kubeconfig that has it? KUBECONFIG names it; list them: kubectl config get-contexts"
        raise EngineError(f"no way to the cluster of context '{context}' is known: {error}", help) from error
    renew = configuration.refresh_api_key_hook

    def lead(configuration: Any) -> None:
        """Before each request, since a login that is renewed also sets the address anew, and this hook itself."""
        if renew is not None:
            renew(configuration)
        if "BearerToken" in configuration.api_key:  # as newer versions of the cluster's SDK call it
            configuration.api_key["authorization"] = configuration.api_key["BearerToken"]
        if not configuration.host.endswith(path):
            configuration.host = configuration.host.rstrip("/") + path
        configuration.refresh_api_key_hook = lead

    path = PROXY.format(quote(settings.kubeflow_namespace))
    lead(configuration)


def _is(operation: str, text: str) -> str:
    predicate = {"operation": operation, "key": "display_name", "string_value": text}
    return json.dumps({"predicates": [predicate]})


def _value(reference: str, secret: Callable[[str], str]) -> str:
    return secret(secret_names(reference)[0])


def _said(body: str | bytes) -> str:
    """The message of an error; empty for what is none of Kubeflow's, as a proxy's page."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    message = (
        found.get("message") or found.get("error") or found.get("error_message") if isinstance(found, dict) else ""
    )
    return message if isinstance(message, str) else json.dumps(message)


def _cause(error: Exception) -> str:
    """The innermost words of an error of the connection."""
    reason = getattr(error, "reason", None) or error.__cause__ or error
    text = str(reason)
    if "WRONG_VERSION_NUMBER" in text:
        return "it speaks no TLS there; is its address http://…?"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted here; ca_certificate names a file with those that are"
    return _NUMBER.sub("", text.rpartition(": ")[2]) or type(error).__name__
