"""What holds for the declarations of every built-in flavor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.document.read import read_text
from runner.orchestrators import registry
from runner.orchestrators.base import Traits
from runner.orchestrators.portability import CAPABILITY
from runner.spec.common import Spec
from runner.spec.stack import component_model
from runner.validate.bind import bind
from runner.validate.schema import schemas

FLAVORS = {name: registry.flavor(name) for name in registry.BUILTINS}
SCHEMAS = schemas(
    {"orchestrator": {name: flavor.Settings for name, flavor in FLAVORS.items()}},
    {name: flavor.StepSettings for name, flavor in FLAVORS.items()},
)
MODELS = [(name, kind) for name in FLAVORS for kind in ("Settings", "StepSettings")]
UUID = "12345678-90ab-cdef-1234-567890abcdef"
# Every field of every flavor, with a value that is right.
FULL: dict[str, tuple[str, str]] = {
    "local": ("{max_parallel: 2, isolation: none}", "{environment: venv}"),
    "local_docker": (
        "{max_parallel: 2, run_args: {privileged: true}, docker_host: 'unix:///run/docker.sock', network: ml}",
        "{run_args: {cap_add: [SYS_PTRACE]}}",
    ),
    "kubernetes": (
        "{kubernetes_context: c, kubernetes_namespace: ml, incluster: false, service_account_name: runner, "
        "controller_image: a.b/c, "
        "max_parallel: 5, synchronous: false, startup_timeout: 5m, ttl_after_finished: 1h, image_pull_policy: Always, "
        "image_pull_secrets: [a], labels: {a: b}, annotations: {a.b/c: d e}, gpu_resource: amd.com/gpu, "
        "gpu_type_label: cloud.google.com/gke-accelerator}",
        "{pod: {hostNetwork: true}, node_selectors: {pool: gpu}, tolerations: [{key: gpu, operator: Equal, "
        "value: 'yes', effect: NoSchedule, tolerationSeconds: 5}], affinity: {nodeAffinity: {}}, labels: {a: b}, "
        "annotations: {a: b}, service_account_name: a, priority_class_name: high, startup_timeout: 1h}",
    ),
    "kubeflow": (
        "{kubeflow_hostname: 'https://k.example.com/pipeline', kubernetes_context: c, kubeflow_namespace: kubeflow, "
        "user_namespace: ml, experiment: e, synchronous: true, username: u, password: '${secrets.P}', "
        "token: null, ca_certificate: certs/ca.pem, service_account_name: a, image_pull_secrets: [a], "
        "gpu_resource: nvidia.com/gpu, gpu_type_label: a.b/c}",
        "{node_selectors: {a: b}, tolerations: [{}], labels: {a: b}, annotations: {a: b}, image_pull_policy: Never, "
        "volumes: [{mount_path: /a, persistent_volume_claim: c, sub_path: d}, {mount_path: /b, secret: s, "
        "optional: true}, {mount_path: /c, config_map: c}, {mount_path: /d, empty_dir: 1GB}]}",
    ),
    "airflow": (
        "{dag_output_dir: /dags, airflow_url: 'http://a:8080', operator: kubernetes_pod, tags: [a], username: u, "
        "password: '${secrets.P}', token: '${secrets.T}', synchronous: true, docker_url: null, docker_network: null, "
        "kubernetes_namespace: ml, kubernetes_conn_id: k, service_account_name: a, python: null}",
        "{pool: p, queue: q, priority_weight: 3, node_selectors: {a: b}, tolerations: [{key: a}]}",
    ),
    "vertex": (
        "{project: my-project-1, location: europe-west4, pipeline_root: 'gs://b-1/x', "
        "service_account: a@my-project-1.iam.gserviceaccount.com, network: projects/1/global/networks/n, "
        "encryption_spec_key_name: projects/p/locations/l/keyRings/r/cryptoKeys/k, labels: {a: b}, "
        "endpoint_url: 'https://a.b', synchronous: true}",
        "{}",
    ),
    "sagemaker": (
        "{execution_role: 'arn:aws:iam::123456789012:role/a', region: eu-central-1, bucket: b-1, max_runtime: 2h, "
        "instance_type: ml.m5.xlarge, tags: {a: b}, subnets: [s], security_group_ids: [g], kms_key: k, profile: p, "
        "endpoint_url: 'http://127.0.0.1:5000', synchronous: true}",
        "{instance_type: ml.g5.2xlarge, job: training, use_spot_instances: true, tags: {a: b}}",
    ),
    "azureml": (
        f"{{subscription_id: {UUID}, resource_group: g, workspace: ml-team, compute: null, tier: spot, experiment: e, "
        "tags: {a: b}, synchronous: true}",
        "{compute: cpu-cluster, instance_type: Standard_DS3_v2, tier: standard, tags: {a: b}}",
    ),
    "databricks": (
        "{host: 'https://d.example.com', node_type_id: i3.xlarge, spark_version: 15.4.x-scala2.12, num_workers: 2, "
        "token: null, client_id: c, client_secret: '${secrets.S}', policy_id: p, instance_pool_id: i, tags: {a: b}, "
        "synchronous: true}",
        "{node_type_id: g5.xlarge, num_workers: 0, spark_version: 15.4.x-gpu-ml-scala2.12, "
        "spark_conf: {spark.a: b}, policy_id: p, instance_pool_id: i}",
    ),
}


def bound(model: type[Spec], text: str) -> tuple[Spec | None, list[Any]]:
    (document,), _ = read_text(text, "o.yaml")
    return bind(document, model)


def orchestrator(name: str, fields: str) -> str:
    return f"{{kind: orchestrator, name: o, flavor: {name}, {fields[1:]}\n"


@pytest.mark.parametrize(("name", "kind"), MODELS)
def test_every_field_has_help(name: str, kind: str) -> None:
    model: type[Spec] = getattr(FLAVORS[name], kind)
    assert model.__doc__ and model.__doc__.strip().endswith(".")
    for field, about in model.model_fields.items():
        description = about.description or ""
        assert (len(description) > 15 and description[0].isupper()) or description[:1] in "pc", field


@pytest.mark.parametrize("name", FLAVORS)
def test_every_field_of_a_stack_is_accepted_by_model_and_schema(name: str) -> None:
    text = orchestrator(name, FULL[name][0])
    settings, problems = bound(component_model("orchestrator", FLAVORS[name].Settings), text)
    assert problems == []
    assert settings is not None and FLAVORS[name].Settings.model_fields.keys() <= settings.model_fields_set
    (document,), _ = read_text(text, "o.yaml")
    assert list(jsonschema.Draft202012Validator(SCHEMAS["orchestrator"]).iter_errors(document.node.plain())) == []


@pytest.mark.parametrize("name", FLAVORS)
def test_every_field_of_a_step_is_accepted_by_model_and_schema(name: str) -> None:
    text = f"kind: pipeline\nname: p\nsettings: {{{name}: {FULL[name][1]}}}\nsteps: {{a: {{entrypoint: 'm:f'}}}}\n"
    (document,), _ = read_text(text, "p.yaml")
    settings, problems = bind(document, FLAVORS[name].StepSettings, ("settings", name))
    assert problems == []
    assert settings is not None and settings.model_fields_set == FLAVORS[name].StepSettings.model_fields.keys()
    assert list(jsonschema.Draft202012Validator(SCHEMAS["pipeline"]).iter_errors(document.node.plain())) == []


@pytest.mark.parametrize("name", FLAVORS)
def test_settings_of_a_step_have_defaults_and_are_plain_data(name: str) -> None:
    model = FLAVORS[name].StepSettings
    dumped = model().model_dump(mode="json")
    assert dumped.keys() == model.model_fields.keys()


@pytest.mark.parametrize("name", FLAVORS)
def test_it_says_what_it_is_like(name: str) -> None:
    flavor = FLAVORS[name]
    assert (flavor.__doc__ or "").startswith("Runs ")
    assert all(0 < len(word) <= 24 and word != "-" for word in flavor.traits)
    assert isinstance(flavor.traits, Traits)
    assert set(flavor.advice) <= set(CAPABILITY.values())


def test_only_what_runs_on_this_machine_is_not_remote() -> None:
    assert [name for name, flavor in FLAVORS.items() if not flavor.remote] == ["local", "local_docker"]


def test_the_example_stacks_name_every_flavor() -> None:
    stacks = Path(__file__).parents[3] / "stacks"
    assert {path.stem for path in stacks.glob("*.yaml")} >= set(FLAVORS)


def test_declaring_needs_no_sdk() -> None:
    code = (  # an SDK may have a .pth that loads an empty `google` at every start
        "import sys\nbefore = set(sys.modules)\nfrom runner.orchestrators import registry\n"
        "for name in registry.BUILTINS: registry.flavor(name).StepSettings()\n"
        "sdks = {'docker', 'kubernetes', 'kfp', 'airflow', 'google', 'boto3', 'azure', 'databricks', 'requests'}\n"
        "sys.exit(', '.join(sdks & (set(sys.modules) - before)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
