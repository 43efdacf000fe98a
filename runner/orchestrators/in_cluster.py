"""The way to a cluster's API from inside of it, by what each pod with a service account is given.

Kubernetes' own SDK is not imported: it takes a second and 50 MB, and here there is no kubeconfig to understand. The
files are those of https://kubernetes.io/docs/tasks/run-application/access-api-from-pod.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import EngineError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
AGAIN = 60.0  # seconds after which the token is read anew: the node replaces it before it runs out
OPEN = 32  # connections that are kept


class InCluster:
    """As much of the SDK's ApiClient as `Cluster` asks for; it is its own configuration and its own REST client."""

    def __init__(self, environ: Mapping[str, str] | None = None, account: Path = ACCOUNT) -> None:
        from urllib3 import PoolManager

        environ = os.environ if environ is None else environ
        host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (account / "token").exists():
            help = "try it inside of the cluster, or name a kubernetes_context instead of incluster"
            what = "KUBERNETES_SERVICE_HOST is not set" if not host else f"there is no token in {account}"
            raise EngineError(f"no way to the cluster is known: this process is in no pod of it, {what}", help)
        self.host = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        self.configuration = self.rest_client = self
        ca = str(account / "ca.crt")
        self.pool_manager = PoolManager(num_pools=1, maxsize=OPEN, ca_certs=ca, cert_reqs="CERT_REQUIRED")
        self._file, self._token, self._read = account / "token", "", 0.0

    def auth_settings(self) -> dict[str, dict[str, Any]]:
        """The headers that log in, as the SDK's configuration gives them."""
        if not self._token or time.monotonic() - self._read > AGAIN:
            self._token, self._read = self._file.read_text("ascii").strip(), time.monotonic()
        return {"BearerToken": {"key": "authorization", "value": f"Bearer {self._token}"}}
