"""Secrets of a cluster, as the variables that the kubernetes flavor gives to a step's pod.

The flavor puts no value into a manifest: for each name that a step refers to, the pod's variable RUNNER_SECRET_<NAME>
is taken by `secretKeyRef` from the key NAME of the Secret that the store's settings name. Who starts a run outside of
the cluster sets the same variables, for what the artifact store and the registry log in with.
"""

from __future__ import annotations

import os

from runner.plan.secrets import secret_variable
from runner.secret_store.base import SecretMissing, SecretStore, SecretStoreError


class KubernetesSecretStore(SecretStore):
    """`TOKEN` is the variable RUNNER_SECRET_TOKEN of the pod."""

    def get(self, name: str) -> str:
        value = os.environ.get(secret_variable(name))
        if value is not None:
            return value
        secret = self.settings.get("secret", "")
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise SecretStoreError(
                f"secret '{name}' cannot be had here: the secret store is of flavor 'kubernetes', whose secrets reach "
                "pods only",
                f"set it for this machine, too: export {secret_variable(name)}=… (kubectl get secret {secret} shows it "
                "to who may); steps that use secrets run on an orchestrator of flavor 'kubernetes' or 'kubeflow'",
            )
        where = f"this pod has no variable {secret_variable(name)}, which comes from the Secret '{secret}'"
        raise SecretMissing(name, where, f"give the Secret '{secret}' a key '{name}'")
