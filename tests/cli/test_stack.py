"""Stacks and components by command, as they are typed, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "runner.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNNER_STACK", raising=False)

    def run(line: str) -> tuple[int, str, str]:
        code = main(line.split())
        return (code, *capsys.readouterr())

    return run


def test_the_sequences_that_people_know(run: Run) -> None:
    for line in (
        "orchestrator register local_docker --flavor=local_docker",
        "orchestrator register k8s_orchestrator --flavor=kubernetes --kubernetes_context=my-context "
        "--kubernetes_namespace=ml",
        "stack copy default production",
        "stack update production -o k8s_orchestrator",
        "stack set production",
    ):
        assert run(line)[0] == 0, line
    code, out, _ = run("stack show --format json")
    shown = json.loads(out)
    assert (code, shown["name"], shown["chosen_by"]) == (0, "production", "runner stack set")
    assert shown["components"]["orchestrator"] == {
        "name": "k8s_orchestrator",
        "flavor": "kubernetes",
        "fields": {"kubernetes_context": "my-context", "kubernetes_namespace": "ml"},
    }


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("orchestrator", "--flavor=local --max-parallel=4 --isolation=none"),
        ("artifact-store", "--flavor=s3 --path=s3://bucket/ml --region=eu-central-1"),
        ("container-registry", "--flavor=generic --uri=registry.example.com/ml --password=${secrets.TOKEN}"),
        ("image-builder", "--flavor=local"),
        ("secret-store", "--flavor=file --path=secrets.env"),
        ("experiment-tracker", "--flavor=mlflow --tracking_uri=https://mlflow.example.com"),
    ],
)
def test_every_kind_is_registered_listed_shown_updated_deleted(run: Run, verb: str, options: str) -> None:
    assert run(f"{verb} register mine {options}")[:2] == (0, f"create  {verb.replace('-', '_')} mine\n")
    assert [each["name"] for each in json.loads(run(f"{verb} list --format json")[1])] == ["mine"]
    assert "flavor" in run(f"{verb} show mine")[1]
    assert run(f"{verb} show mine --format yaml")[1].startswith(f"kind: {verb.replace('-', '_')}\nname: mine\n")
    assert run(f"{verb} update mine --unset nothing")[0] == 64
    assert run(f"{verb} delete mine")[:2] == (0, f"delete  {verb.replace('-', '_')} mine\n")
    assert run(f"{verb} show mine")[0] == 64


def test_options_are_those_of_the_flavor(run: Run) -> None:
    _, help, _ = run("orchestrator register x --flavor=local --help")
    assert "--max_parallel, --max-parallel N" in help and "--kubernetes_context," not in help
    code, _, wrong = run("orchestrator register x --flavor=kubernetes --kubernetes_contex=a")
    assert code == 64 and "Did you mean" in wrong and "--kubernetes_context" in wrong
    code, _, wrong = run("experiment-tracker register x --flavor=mlflow")
    assert (code, wrong.splitlines()[0]) == (64, "error: it has no 'tracking_uri'")
    code, _, wrong = run("experiment-tracker register x")
    assert code == 64 and "known: mlflow" in wrong
    code, _, wrong = run("orchestrator register x --flavor=kubernets")
    assert code == 64 and "did you mean 'kubernetes'?" in wrong


def test_a_value_is_checked_as_in_a_document(run: Run) -> None:
    code, _, wrong = run("orchestrator register x --flavor=local --max_parallel=0")
    assert (code, wrong.splitlines()[0]) == (64, "error: max_parallel: '0' is out of range: it must be 1 or greater")
    code, _, wrong = run("container-registry register x --flavor=generic --uri=a.b/c --password=hunter2")
    assert code == 64 and "hunter2" not in wrong


def test_an_update_tells_what_changed(run: Run) -> None:
    run("orchestrator register fast --flavor=local --max_parallel=4")
    assert run("orchestrator update fast --max_parallel=8 --isolation=none")[1] == (
        "change  orchestrator fast\n          max_parallel: 4 → 8\n          isolation: (not set) → none\n"
    )
    assert run("orchestrator update fast --unset isolation")[1].endswith("isolation: none → (not set)\n")
    assert run("orchestrator update fast")[0] == 64


def test_a_stack_of_declared_components_is_registered_and_set(run: Run) -> None:
    run("orchestrator register fast --flavor=local")
    run("artifact-store register kept --flavor=local --path=kept")
    assert run("stack register mine -o fast -a kept --set")[1] == "create  stack mine\nactive stack: mine\n"
    assert run("stack list")[1].splitlines()[1].split() == [
        "*",
        "mine",
        "fast",
        "kept",
        "stack",
        "mine",
        "(revision",
        "1)",
    ]
    assert run("stack update mine --without artifact_store")[0] == 0
    assert run("stack register other")[0] == 64
    assert run("stack register other -o slow")[0] == 64


def test_a_stack_is_exported_to_a_file_that_apply_takes(run: Run) -> None:
    run("orchestrator register fast --flavor=local")
    run("stack register mine -o fast")
    assert run("stack export mine -o mine.yaml")[1] == "mine.yaml\n"
    assert run("apply mine.yaml --dry-run")[0] == 0
    assert run("stack export mine")[1] == Path("mine.yaml").read_text()


def test_revisions_are_listed_and_shown(run: Run) -> None:
    run("stack copy default mine")
    run("stack update mine --description one")
    assert [line.split()[:2] for line in run("stack show mine --revisions")[1].splitlines()[1:]] == [
        ["1", "applied"],
        ["2", "applied"],
    ]
    assert "description" not in run("stack show mine --revision 1 --format yaml")[1]
    assert json.loads(run("stack show mine --revision 2 --format json")[1])["text"].endswith("description: one\n")


def test_the_variable_goes_before_what_was_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("stack copy default mine")
    run("stack copy default other")
    monkeypatch.setenv("RUNNER_STACK", "other")
    assert "RUNNER_STACK is set to 'other'" in run("stack set mine")[1]
    assert "chosen by RUNNER_STACK" in run("stack show")[1]


def test_apply_tells_the_difference_and_ends_with_it(run: Run) -> None:
    text = "kind: orchestrator\nname: fast\nflavor: local\n"
    Path("infra.yaml").write_text(text)
    assert run("apply infra.yaml --dry-run") == (
        2,
        "create  orchestrator fast  infra.yaml:1\n\n1 document: 1 to create (nothing was written)\n",
        "",
    )
    assert run("apply infra.yaml")[0] == 0
    assert run("apply infra.yaml --dry-run")[0] == 0
    Path("infra.yaml").write_text(text + "max_parallel: 2\n")
    code, out, _ = run("apply infra.yaml --format json")
    assert (code, json.loads(out)[0]["fields"][0]["after"]) == (0, 2)
    assert run("apply nowhere.yaml")[0] == 64


def test_a_wrong_document_is_not_applied(run: Run) -> None:
    Path("infra.yaml").write_text("kind: orchestrator\nname: fast\nflavor: locl\n")
    code, out, wrong = run("apply infra.yaml")
    assert (code, out) == (3, "") and "infra.yaml:3:9: error[unknown-flavor]" in wrong
    assert not Path(".runner").exists()


def test_every_command_has_help_with_examples(run: Run) -> None:
    for verb in ("apply", "stack", "stack copy", "orchestrator", "orchestrator register", "secret-store"):
        code, out, _ = run(f"{verb} --help")
        assert code == 0 and "Examples:" in out, verb
