"""A folder of documents: found, read, cross-checked; pipelines and stacks that can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.errors import InvalidDocuments, UsageError
from runner.project import (
    Project,
    default_stack,
    files_of,
    find_pipeline,
    find_project,
    load_pipeline,
    load_stack,
    locate,
    orchestrator_from,
    step_images,
    step_settings,
    validate_paths,
)
from runner.spec.pipeline import PipelineSpec
from runner.validate.parameters import RawText

PIPELINE = """
kind: pipeline
name: p
parameters:
  n: {type: integer, default: 3}
  m: {type: integer, default: 4}
settings: {image: {base: "debian", apt: [git]}, local: {environment: current}}
defaults: {timeout: 1m}
steps:
  a: {entrypoint: "s:f", parameters: {n: "${parameters.n}"}, settings: {image: {apt: [make]}}}
  b: {entrypoint: "s:f", after: [a], resources: large}
"""
STACKS = """
kind: stack
name: good
orchestrator: four
artifact_store: {flavor: local, path: kept}
---
kind: orchestrator
name: four
flavor: local
max_parallel: 4
---
kind: resources
name: large
cpu_count: 4
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runner.toml").touch()
    for name, text in (("pipelines/p.yaml", PIPELINE), ("stacks/s.yaml", STACKS)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return Project(tmp_path)


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / name
    path.write_text(text)
    return path


def problems(project: Project, *paths: Path) -> list[tuple[str, str, str | None]]:
    found, _, _ = validate_paths(project, paths, env={})
    return [(str(problem.position), problem.code, problem.help) for problem in found]


def refused(project: Project, chosen: str, by: str = "--stack") -> tuple[str, str | None]:
    with pytest.raises(UsageError) as caught:
        load_stack(project, chosen, by, {})
    return caught.value.message, caught.value.help


# -- the folder --------------------------------------------------------------------------------------------------------


def test_a_project_is_the_nearest_folder_with_a_marker(project: Project) -> None:
    (project.root / "deep" / "er").mkdir(parents=True)
    assert find_project(project.root / "deep" / "er") == project
    assert project.state == project.root / ".runner"


def test_a_folder_without_a_marker_is_a_project_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.project.MARKERS", ())
    assert find_project(tmp_path) == Project(tmp_path.resolve())


def test_files_are_shown_from_here_else_from_the_root(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.shown(project.root / "pipelines" / "p.yaml") == "pipelines/p.yaml"
    monkeypatch.chdir(project.root / "pipelines")
    assert project.shown(project.root / "pipelines" / "p.yaml") == "p.yaml"
    assert project.shown(project.root / "stacks" / "s.yaml") == "stacks/s.yaml"
    assert project.shown(Path("/elsewhere/x.yaml")) == "/elsewhere/x.yaml"


def test_documents_are_the_yaml_and_toml_files_that_are_not_hidden(project: Project) -> None:
    (project.root / "pipelines" / ".hidden").mkdir()
    for name in ("a.yml", "b.toml", "c.txt", ".hidden/d.yaml"):
        write(project, f"pipelines/{name}", "")
    assert [path.name for path in files_of(project, [])] == ["a.yml", "b.toml", "p.yaml", "s.yaml"]


def test_a_file_named_twice_is_read_once(project: Project) -> None:
    file = project.root / "pipelines" / "p.yaml"
    assert files_of(project, [file, file.parent]) == [file]
    assert validate_paths(project, [file, Path("pipelines/p.yaml")], env={})[2] == 1


def test_nothing_to_validate(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder 'pipelines' or 'stacks'"):
        files_of(Project(tmp_path), [])


def test_a_path_that_is_not_there_is_told_its_neighbour(project: Project) -> None:
    with pytest.raises(UsageError, match=r"no file or folder 'pipelines/q\.yaml'") as caught:
        files_of(project, [Path("pipelines/q.yaml")])
    assert caught.value.help == "did you mean 'pipelines/p.yaml'?"


# -- validation --------------------------------------------------------------------------------------------------------


def test_a_whole_project_without_problems(project: Project) -> None:
    found, texts, count = validate_paths(project, [], env={})
    assert (found, set(texts), count) == ([], {"pipelines/p.yaml", "stacks/s.yaml"}, 4)


def test_names_may_point_into_the_stacks_folder(project: Project) -> None:
    assert problems(project, project.root / "pipelines") == []


def test_a_stack_that_the_pipeline_names_must_be_there(project: Project) -> None:
    file = write(project, "pipelines/q.yaml", PIPELINE.replace("name: p\n", "name: q\nstack: goood\n"))
    assert problems(project, file) == [
        ("pipelines/q.yaml:4:8", "unknown-stack", "did you mean 'good'? known: good, default")
    ]


@pytest.mark.parametrize("stack", ["good", "default"])
def test_a_stack_that_is_there(project: Project, stack: str) -> None:
    assert (
        problems(project, write(project, "q.yaml", PIPELINE.replace("name: p\n", f"name: q\nstack: {stack}\n"))) == []
    )


def test_two_documents_of_one_kind_and_name(project: Project) -> None:
    write(project, "stacks/t.yaml", "kind: resources\nname: large\n")
    assert problems(project) == [
        ("stacks/t.yaml:2:7", "duplicate-name", "the first one is at stacks/s.yaml:13:7; rename one of them")
    ]


def test_settings_of_flavors_are_bound_by_the_flavor(project: Project) -> None:
    text = "kind: pipeline\nname: q\nsettings: {local: {environmet: venv}}\nsteps: {a: {entrypoint: 's:f'}}\n"
    assert problems(project, write(project, "q.yaml", text)) == [
        ("q.yaml:3:20", "unknown-key", "did you mean 'environment'?")
    ]


def test_entrypoints_are_imported_when_asked_for(project: Project) -> None:
    file = project.root / "pipelines" / "p.yaml"
    found, _, _ = validate_paths(project, [file], imports=True, env={})
    assert {problem.code for problem in found} == {"unknown-module"}


# -- pipelines ---------------------------------------------------------------------------------------------------------


def test_a_pipeline_has_its_parameters_filled_in(project: Project) -> None:
    pipeline = load_pipeline(project, Path("pipelines/p.yaml"), {"n": RawText("5")}, {})
    assert pipeline.parameters == {"n": 5, "m": 4}
    assert pipeline.spec.steps["a"].parameters == {"n": 5}
    assert pipeline.resources["large"].cpu_count == 4


def test_resources_that_are_wrong_are_not_among_them(project: Project) -> None:
    write(project, "stacks/t.yaml", "kind: resources\nname: broken\ncpu_count: many\n")
    assert set(load_pipeline(project, Path("pipelines/p.yaml"), {}, {}).resources) == {"large"}


def test_all_wrong_parameters_are_told_with_their_declarations(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        load_pipeline(project, Path("pipelines/p.yaml"), {"n": RawText("x"), "m": RawText("y")}, {})
    assert caught.value.message == "the parameter 'n' is 'x', not an integer; the parameter 'm' is 'y', not an integer"
    assert "give 'n' a value that fits its declaration at pipelines/p.yaml:5:3" in (caught.value.help or "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STACKS, "'q.yaml' declares no pipeline"),
        (f"{PIPELINE}---{PIPELINE.replace('name: p', 'name: q')}", "'q.yaml' declares several pipelines: p, q"),
    ],
)
def test_a_file_holds_one_pipeline(project: Project, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load_pipeline(project, write(project, "q.yaml", text), {}, {})


def test_a_broken_file_is_told_at_its_position(project: Project) -> None:
    for text in ("kind: pipeline\nname: [", "kind: pipeline\nname: q\n"):
        with pytest.raises(InvalidDocuments) as caught:
            load_pipeline(project, write(project, "q.yaml", text), {}, {})
        assert caught.value.sources == {"q.yaml": text}


def test_the_steps_own_settings_go_before_the_pipelines(project: Project) -> None:
    pipeline = load_pipeline(project, Path("pipelines/p.yaml"), {}, {})
    assert step_images(pipeline.spec, project.root)["a"] == {"base": "debian", "apt": ["make"]}
    flavor = type(default_stack(project).orchestrator)
    assert step_settings(pipeline, flavor, "local")["a"]["environment"] == "current"


def test_a_value_is_located_where_it_was_written(project: Project) -> None:
    document = load_pipeline(project, Path("pipelines/p.yaml"), {}, {}).document
    assert locate(document, ("steps", "b", "resources")).line == 11
    assert locate(document, ("steps", "a", "timeout")).line == 8
    assert locate(document, ("steps", "b", "settings", "image", "apt")).line == 7
    assert locate(document, ("steps", "b", "retry")).line == 11


# -- stacks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["good", "stacks/s.yaml"])
def test_a_stack_by_its_name_or_its_file(project: Project, chosen: str) -> None:
    stack = load_stack(project, chosen, "--stack", {})
    assert (stack.name, stack.flavor, stack.orchestrator.settings.max_parallel) == ("good", "local", 4)
    assert stack.artifact_store == {"flavor": "local", "path": str(project.root / "kept")}


@pytest.mark.parametrize("chosen", [None, "default"])
def test_the_default_stack_needs_no_document(project: Project, chosen: str | None) -> None:
    stack = load_stack(project, chosen, "", {})
    assert (stack.name, stack.artifact_store["path"]) == ("default", str(project.state / "artifacts"))


def test_a_stack_of_ones_own_may_be_called_default(project: Project) -> None:
    write(project, "stacks/d.yaml", "kind: stack\nname: default\norchestrator: {flavor: local, max_parallel: 7}\n")
    assert load_stack(project, "default", "", {}).orchestrator.settings.max_parallel == 7


def test_an_unknown_stack_is_told_who_names_it(project: Project) -> None:
    message, help = refused(project, "goood", "RUNNER_STACK")
    assert message == "there is no stack 'goood', which RUNNER_STACK names"
    assert help == "did you mean 'good'? known: good, default"


def test_a_file_without_a_stack_and_one_of_several(project: Project) -> None:
    assert refused(project, "pipelines/p.yaml")[0] == "'pipelines/p.yaml' declares no stack"
    two = "kind: stack\nname: one\norchestrator: four\n---\nkind: stack\nname: two\norchestrator: four\n"
    write(project, "two.yaml", two)
    assert refused(project, "two.yaml") == ("'two.yaml' declares several stacks: one, two", "choose one by its name")


def test_two_stacks_of_one_name(project: Project) -> None:
    write(project, "stacks/t.yaml", "kind: stack\nname: good\norchestrator: four\n")
    assert refused(project, "good")[0] == "there are 2 stacks 'good': at stacks/s.yaml:3:7 and stacks/t.yaml:2:7"


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("orchestrator: fuor", "3:15", "unknown-orchestrator"),
        ("orchestrator: {flavor: lcal}", "3:24", "unknown-flavor"),
        ("orchestrator: {max_parallel: 2}", "3:1", "missing-key"),
        ("orchestrator: {flavor: local, max_paralel: 2}", "3:31", "unknown-key"),
        ("orchestrator: {flavor: 'json:dumps'}", "3:24", "unknown-flavor"),
        ("orchestrator: four\nartifact_store: kept", "4:17", "unknown-artifact-store"),
        ("orchestrator: four\nartifact_store: {flavor: s4}", "4:26", "unknown-flavor"),
        ("orchestrator: four\nartifact_store: {path: x}", "4:1", "missing-key"),
    ],
)
def test_a_stack_with_a_problem(project: Project, text: str, place: str, code: str) -> None:
    write(project, "stacks/t.yaml", f"kind: stack\nname: broken\n{text}\n")
    with pytest.raises(InvalidDocuments) as caught:
        load_stack(project, "broken", "", {})
    assert [(str(problem.position), problem.code) for problem in caught.value.problems] == [
        (f"stacks/t.yaml:{place}", code)
    ]
    assert caught.value.problems[0].help


def test_a_broken_stack_file_is_told_when_it_is_chosen(project: Project) -> None:
    write(project, "broken.yaml", "kind: stack\nname: [")
    with pytest.raises(InvalidDocuments):
        load_stack(project, "broken.yaml", "", {})


def test_stacks_may_take_values_from_the_environment(project: Project) -> None:
    text = "kind: stack\nname: env\norchestrator: four\nartifact_store: {flavor: local, path: '${env.KEPT}'}\n"
    write(project, "stacks/t.yaml", text)
    assert load_stack(project, "env", "", {"KEPT": "/kept"}).artifact_store["path"] == "/kept"


def test_an_orchestrator_comes_back_from_its_fields(project: Project) -> None:
    stack = load_stack(project, "good", "", {})
    again = orchestrator_from(stack.orchestrator_fields, project.root)
    assert again.settings.max_parallel == 4


def test_a_folder_is_searched_but_for_hidden_files_and_the_projects_marker(project: Project) -> None:
    (project.root / ".venv" / "lib").mkdir(parents=True)
    write(project, ".venv/lib/broken.yaml", "kind: nothing")
    write(project, ".hidden.yaml", "kind: nothing")
    assert [path.name for path in files_of(project, [project.root])] == ["p.yaml", "s.yaml"]


def test_a_link_that_leads_nowhere_is_not_told_itself(project: Project) -> None:
    link = project.root / "dangling.yaml"
    link.symlink_to("nowhere")
    with pytest.raises(UsageError) as caught:
        files_of(project, [link])
    assert caught.value.help == f"nothing in the folder '{project.root}' is named like it"


def test_an_artifact_store_of_its_own_is_checked(project: Project) -> None:
    file = write(project, "store.yaml", "kind: artifact_store\nname: kept\nflavor: local\npaht: x\n")
    assert problems(project, file) == [("store.yaml:4:1", "unknown-key", "did you mean 'path'?")]


def test_a_requirements_file_counts_with_what_it_says(tmp_path: Path) -> None:
    steps = {"a": {"entrypoint": "m:f", "settings": {"image": {"requirements": "needs.txt"}}}}
    spec = PipelineSpec.model_validate({"kind": "pipeline", "name": "p", "steps": steps})
    (tmp_path / "needs.txt").write_text("six\n")
    before = step_images(spec, tmp_path)["a"]
    (tmp_path / "needs.txt").write_text("six==1.16\n")
    after = step_images(spec, tmp_path)["a"]
    assert before["requirements"] == after["requirements"] == "needs.txt"
    assert before["requirements_digest"] != after["requirements_digest"]


def test_a_pipeline_by_its_name_or_its_file(project: Project) -> None:
    file = write(project, "pipelines/night.yaml", "kind: pipeline\nname: digest\nsteps: {a: {entrypoint: 'm:f'}}\n")
    assert find_pipeline(project, Path("digest")) == find_pipeline(project, Path("night")) == file
    assert find_pipeline(project, Path("other.yaml")) == Path("other.yaml")


def test_an_unknown_pipeline_is_told_those_that_are_there(project: Project) -> None:
    write(project, "pipelines/night.yaml", "kind: pipeline\nname: digest\nsteps: {a: {entrypoint: 'm:f'}}\n")
    with pytest.raises(UsageError) as caught:
        find_pipeline(project, Path("digets"))
    assert caught.value.message == "there is no file and no pipeline 'digets'"
    assert (caught.value.help or "").startswith("did you mean 'digest'? pipelines here: ")


def test_a_name_that_fits_several_pipelines(project: Project) -> None:
    for name in ("one", "two"):
        write(project, f"pipelines/{name}.yaml", "kind: pipeline\nname: digest\nsteps: {a: {entrypoint: 'm:f'}}\n")
    with pytest.raises(UsageError, match="several pipelines are named 'digest'"):
        find_pipeline(project, Path("digest"))
