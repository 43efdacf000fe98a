"""The floor of pods: `bare_pods.py IMAGE COUNT one-by-one|at-once`, each `python -c pass`, watched to their end.

By Kubernetes' own client for Python, its models and its watch; the cluster and the namespace are the kubeconfig's.
"""

from __future__ import annotations

import sys
import uuid

from kubernetes import client, config, watch

LABEL = "runner-bench"


def main(image: str, count: int, how: str) -> int:
    config.load_kube_config()
    _, context = config.list_kube_config_contexts()
    api, namespace, mark = client.CoreV1Api(), context["context"]["namespace"], uuid.uuid4().hex[:8]
    pods = [pod(f"bare-{mark}-{number}", image, mark) for number in range(count)]
    batches = [pods] if how == "at-once" else [[each] for each in pods]
    for batch in batches:
        version = api.list_namespaced_pod(namespace, label_selector=f"{LABEL}={mark}").metadata.resource_version
        for each in batch:
            api.create_namespaced_pod(namespace, each)
        if not all_end(api, namespace, mark, version, {each.metadata.name for each in batch}):
            return 1
    api.delete_collection_namespaced_pod(namespace, label_selector=f"{LABEL}={mark}", grace_period_seconds=0)
    return 0


def pod(name: str, image: str, mark: str) -> client.V1Pod:
    container = client.V1Container(
        name="bare", image=image, image_pull_policy="IfNotPresent", command=["python", "-c", "pass"]
    )
    spec = client.V1PodSpec(restart_policy="Never", automount_service_account_token=False, containers=[container])
    return client.V1Pod(metadata=client.V1ObjectMeta(name=name, labels={LABEL: mark}), spec=spec)


def all_end(api: client.CoreV1Api, namespace: str, mark: str, version: str, left: set[str]) -> bool:
    told = watch.Watch()
    for event in told.stream(
        api.list_namespaced_pod, namespace, label_selector=f"{LABEL}={mark}", resource_version=version
    ):
        phase, name = event["object"].status.phase, event["object"].metadata.name
        if phase == "Failed":
            print(f"{name} failed", file=sys.stderr)
            return False
        if phase == "Succeeded":
            left.discard(name)
        if not left:
            told.stop()
    return True


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
