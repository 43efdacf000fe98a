"""A step's `pod` against Kubernetes' own schema."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.orchestrators.flavors.kubernetes.pod_schema import TAKEN, _types, inside, wrong

SCRIPT = runpy.run_path(str(Path(__file__).parent / "make_pod_schema.py"))


def test_the_file_is_what_the_script_makes_of_kubernetes_own() -> None:
    made = SCRIPT["text"](SCRIPT["made"]("1.37"))
    assert SCRIPT["TARGET"].read_text("utf-8") == made
    assert len(made) < 20_000


def test_what_is_runners_own_is_there_at_all() -> None:
    assert all(inside(kind, field) for kind, field in TAKEN)


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        ({"nodeselector": {}}, ((), "nodeselector", "unknown-key", "did you mean 'nodeSelector'?")),
        ({"node_selector": {}}, ((), "node_selector", "unknown-key", "did you mean 'nodeSelector'?")),
        (
            {"dnsConfig": {"x": 1}},
            (("dnsConfig",), "x", "unknown-key", "a PodDNSConfig: nameservers, options, searches"),
        ),
        ({"priority": "high"}, (("priority",), "", "wrong-type", "write a whole number")),
        ({"priority": True}, (("priority",), "", "wrong-type", "write a whole number")),
        ({"hostNetwork": "yes"}, (("hostNetwork",), "", "wrong-type", "write true or false")),
        ({"tolerations": {}}, (("tolerations",), "", "wrong-type", "write a list")),
        ({"tolerations": [None]}, (("tolerations", 0), "", "wrong-type", "write a mapping")),
        ({"nodeSelector": {"pool": 1}}, (("nodeSelector", "pool"), "", "wrong-type", 'put it in quotes: "1"')),
        ({"volumes": [{"emptyDir": {}}]}, (("volumes", 0), "", "missing-key", "add 'name', which Kubernetes demands")),
        ({"overhead": {"cpu": "8 GB"}}, (("overhead", "cpu"), "", "bad-quantity", "did you mean '8G'?")),
        ({"restartPolicy": "Always"}, ((), "restartPolicy", "set-by-runner", "write `retry`")),
        ({"containers": [{"image": "a"}]}, (("containers", 0), "image", "set-by-runner", "settings: {image:")),
        ({"containers": [{}, {}]}, (("containers", 1), "", "one-container", "initContainers")),
        ({"hostname": "${secrets.A}"}, (("hostname",), "", "secret-in-a-manifest", "secretKeyRef")),
        (
            {"containers": [{"env": [{"name": "RUNNER_SECRET_A", "value": "b"}]}]},
            (("containers", 0, "env", 0, "name"), "", "set-by-runner", "${secrets.NAME}"),
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(pod: dict[str, Any], told: tuple[Any, ...]) -> None:
    ((path, key, code, _, help),) = wrong(pod)
    assert (path, key, code) == told[:3]
    assert told[3] in help


NAMES = st.sampled_from(["containers", "env", "name", "volumes", "resources", "limits", "tolerations", "value", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_whatever_is_written_each_mistake_is_told_in_words(pod: dict[str, Any]) -> None:
    assert all(each.code and each.message and each.help for each in wrong(pod))


def test_what_is_right_is_right() -> None:
    pod = {
        "volumes": [{"name": "a", "emptyDir": {"sizeLimit": 1}}],
        "securityContext": {"runAsUser": None},
        "initContainers": [{"name": "a", "restartPolicy": "Always", "livenessProbe": {"httpGet": {"port": "http"}}}],
        "containers": [{"resources": {"limits": {"hugepages-2Mi": "4Mi", "a.b/c": 0.5}}}],
    }
    assert list(wrong(pod)) == []


def test_every_type_that_is_referred_to_is_there() -> None:
    plain = {"string", "integer", "number", "boolean", "object", "Quantity", "IntOrString"}
    named = {
        kind.partition("]")[0].strip("[{}]").partition("}")[0].strip("[]")
        for fields in _types().values()
        for kind in fields.values()
    }
    assert named <= plain | _types().keys()
