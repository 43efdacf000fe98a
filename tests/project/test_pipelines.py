"""Pipelines: found, bound, given parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import InvalidDocuments, UsageError
from runner.project import Project, default_stack, find_pipeline, load_pipeline, step_images, step_settings
from runner.spec.pipeline import PipelineSpec
from runner.validate.parameters import RawText


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / name
    path.write_text(text)
    return path


def test_a_pipeline_has_its_parameters_filled_in(project: Project) -> None:
    pipeline = load_pipeline(project, Path("pipelines/p.yaml"), {"n": RawText("5")}, {})
    assert pipeline.parameters == {"n": 5, "m": 4}
    assert pipeline.spec.steps["a"].parameters == {"n": 5}
    assert pipeline.resources["large"][0].cpu_count == 4


def test_resources_that_are_wrong_are_not_among_them(project: Project) -> None:
    write(project, "stacks/t.yaml", "kind: resources\nname: broken\ncpu_count: many\n")
    assert set(load_pipeline(project, Path("pipelines/p.yaml"), {}, {}).resources) == {"large"}


def test_all_wrong_parameters_are_told_with_their_declarations(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        load_pipeline(project, Path("pipelines/p.yaml"), {"n": RawText("x"), "m": RawText("y")}, {})
    assert caught.value.message == "the parameter 'n' is 'x', not an integer; the parameter 'm' is 'y', not an integer"
    assert "give 'n' a value that fits its declaration at pipelines/p.yaml:5:3" in (caught.value.help or "")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["stacks/s.yaml"], "'q.yaml' declares no pipeline"),
        (["pipelines/p.yaml", "pipelines/p.yaml"], "'q.yaml' declares several pipelines: p, p"),
    ],
)
def test_a_file_holds_one_pipeline(project: Project, files: list[str], said: str) -> None:
    text = "---".join((project.root / file).read_text() for file in files)
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
    assert step_settings(pipeline.spec, flavor, "local")["a"]["environment"] == "current"


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


def test_what_a_step_says_of_its_image_takes_away_what_has_no_meaning_beside_it(tmp_path: Path) -> None:
    steps = """
      ready: {entrypoint: "s:f", settings: {image: {image: "mine:1"}}}
      based: {entrypoint: "s:f", settings: {image: {base: debian}}}
      own: {entrypoint: "s:f", settings: {image: {dockerfile: Dockerfile}}}
    """
    write(Project(tmp_path), "Dockerfile", "FROM debian\n")
    common = "{python: '3.12', requirements: [six]}"
    text = f"kind: pipeline\nname: p\nsettings: {{image: {common}}}\nsteps:{steps}"
    spec = load_pipeline(Project(tmp_path), write(Project(tmp_path), "p.yaml", text), {}, {}).spec
    images = step_images(spec, tmp_path)
    assert images["ready"] == {"image": "mine:1"}
    assert images["based"] == {"base": "debian", "python": "3.12", "requirements": ["six"]}
    assert images["own"].keys() == {"dockerfile", "requirements", "context_digest"}


def test_the_project_s_own_dependencies_count_and_nothing_else_of_its_file(tmp_path: Path) -> None:
    text = "kind: pipeline\nname: p\nsettings: {image: {requirements: pyproject.toml}}\nsteps: {a: {entrypoint: 's:f'}}"
    project = Project(tmp_path)
    digests = []
    for dependencies in ("['six']", "['six'] # why", "['idna']"):
        write(project, "pyproject.toml", f"[project]\nname = 'p'\ndependencies = {dependencies}\n")
        spec = load_pipeline(project, write(project, "p.yaml", text), {}, {}).spec
        digests.append(step_images(spec, tmp_path)["a"]["requirements_digest"])
    assert digests[0] == digests[1] != digests[2]
