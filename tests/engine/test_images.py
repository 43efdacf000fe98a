"""Images on a real Docker Engine and a real registry: built once, pushed once, run by digest, without secrets."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from runner.engine import images
from runner.engine.images import Image, Progress, images_of, images_to_json, made_images, made_ready, unresolved
from runner.errors import EngineError
from runner.images.build import BuildFailed
from runner.images.trouble import ImageError
from runner.orchestrators.base import BaseOrchestrator
from runner.plan.deployment import DeployedStep, Deployment

UNIQUE = uuid4().hex  # images of an earlier run of these tests do not answer for these
SECRET = "a-secret-that-no-image-may-hold"
real = pytest.mark.engine("docker")


class Containers(BaseOrchestrator):
    """A flavor with images, on this machine."""

    flavor = "containers"
    needs_image = True


class Project:
    """A folder with a step, and deployments of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[Progress] = []
        self.registry: dict[str, Any] = {}
        self.secrets: dict[str, Any] = {"flavor": "file", "path": "hidden.env"}
        self.write("steps.py", "def work():\n    return 1\n")
        self.write("hidden.env", f"TOKEN={SECRET}\n")
        self.write(".env", f"TOKEN={SECRET}\n")

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def deployment(self, **images: dict[str, Any]) -> Deployment:
        steps = {
            name: DeployedStep(name, "steps:work", image=image, environment={"TOKEN": "${secrets.TOKEN}"})
            for name, image in images.items()
        }
        store = {"flavor": "local", "path": str(self.root / ".runner/artifacts")}
        return Deployment(
            "r1",
            "p",
            "s",
            "containers",
            steps,
            store,
            str(self.root),
            container_registry=self.registry,
            secret_store=self.secrets,
        )

    def ready(self, **images: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The containers of steps of these images."""
        self.told.clear()
        made = made_ready(self.deployment(**images), Containers(), self.root / ".runner", self.told.append)
        return {name: step.container for name, step in made.steps.items()}

    def look(self, **images: dict[str, Any]) -> list[Image]:
        return images_of(self.deployment(**images), Containers())


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def layers(reference: str) -> list[str]:
    return docker("image", "inspect", "--format", '{{join .RootFS.Layers " "}}', reference).split()


@pytest.fixture(scope="module", autouse=True)
def one_runner() -> Iterator[None]:
    """The wheel of the runner stays the same, also while somebody edits this checkout."""
    found = images.this_runner()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "this_runner", lambda: found)
        yield


@pytest.fixture(scope="module")
def base(python_image: str) -> Iterator[str]:
    """A base image of these tests' own, so that all that they make is found and removed."""
    yield labelled(python_image, f"runner-test-base:{UNIQUE}")
    for _ in range(3):  # those that others are made from go last
        made = docker("images", "--filter", f"label=runner/test={UNIQUE}", "--format", "{{.ID}}").split()
        subprocess.run(["docker", "rmi", "--force", *dict.fromkeys(made)], capture_output=True)


def labelled(image: str, tag: str) -> str:
    """The same image, by which those that are made from it are known as of these tests."""
    dockerfile = f"FROM {image}\nLABEL runner/test={UNIQUE}\n"
    build = ["docker", "build", "-q", "-t", tag, "-"]
    subprocess.run(build, input=dockerfile, text=True, check=True, capture_output=True)
    return tag


@pytest.fixture
def debian(base: str, python_image: str) -> str:
    """A base image that has apt; removed with `base`."""
    script = Path(__file__).parents[1] / "engines" / "apt-image"
    made = f"runner-test-apt:{python_image.rpartition(':')[2]}"
    done = subprocess.run([sys.executable, script, python_image, made], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return labelled(made, f"runner-test-debian:{UNIQUE}")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="module")
def built(base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, dict[str, Any]]]:
    """Two sets of requirements, and code that is baked in."""
    project = Project(tmp_path_factory.mktemp("built"))
    return project, project.ready(**of(base))


def of(base: str) -> dict[str, dict[str, Any]]:
    return {
        "one": {"base": base, "requirements": ["six==1.16.0"]},
        "two": {"base": base, "requirements": ["six==1.17.0"]},
        "same": {"base": base, "requirements": ["six==1.17.0"]},
        "baked": {"base": base, "requirements": ["six==1.17.0"], "code": "baked"},
    }


@real
def test_two_sets_of_requirements_are_two_images(built: tuple[Project, dict[str, dict[str, Any]]]) -> None:
    containers = built[1]
    say = ["run", "--rm", "--network=none", containers["two"]["image"], "python", "-c"]
    assert docker(*say, "import six; print(six.__version__)").strip() == "1.17.0"
    assert containers["one"]["image"] != containers["two"]["image"] == containers["same"]["image"]


@real
def test_steps_run_as_an_unprivileged_user_with_a_home(built: tuple[Project, dict[str, dict[str, Any]]]) -> None:
    shell = ["run", "--rm", "--network=none", built[1]["one"]["image"], "sh", "-c"]
    assert docker(*shell, "id -u && touch $HOME/x ./y && pwd").split() == ["1000", "/app"]


@real
def test_the_worker_is_in_the_image(built: tuple[Project, dict[str, dict[str, Any]]]) -> None:
    command = ["docker", "run", "--rm", "--network=none", built[1]["one"]["image"], "python", "-m", "runner.worker"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "usage: python -m runner.worker JOB" in done.stderr


@real
def test_nothing_is_built_twice(
    built: tuple[Project, dict[str, dict[str, Any]]], base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, containers = built
    monkeypatch.setattr("runner.engine.images.connect", None)  # no context is sent to anybody
    assert project.ready(**of(base)) == containers and not project.told
    assert {image.state for image in project.look(**of(base))} == {"exists"}


@real
def test_changed_code_builds_nothing_or_the_last_layer(
    built: tuple[Project, dict[str, dict[str, Any]]], base: str, tmp_path: Path
) -> None:
    changed, containers = Project(tmp_path), built[1]
    changed.write("steps.py", "def work():\n    return 2\n")
    why = {image.steps[0]: (image.state, image.why.partition(":")[0]) for image in changed.look(**of(base))}
    assert why["one"][0] == why["two"][0] == "exists" and why["baked"] == ("to build", "code changed")
    after = changed.ready(**of(base))
    assert after["one"]["image"] == containers["one"]["image"] and after["one"]["code"] != containers["one"]["code"]
    before, now = layers(containers["baked"]["image"]), layers(after["baked"]["image"])
    assert before[:-1] == now[:-1] and before[-1] != now[-1]


@real
def test_packages_of_debian_are_installed(debian: str, project: Project) -> None:
    container = project.ready(one={"base": debian, "apt": ["tree"], "requirements": ["six==1.17.0"]})["one"]
    shell = ["run", "--rm", "--network=none", container["image"], "sh", "-c"]
    assert "tree v" in docker(
        *shell, "tree --version && python -c 'import six, runner' && ls /var/lib/apt/lists | wc -l"
    )


@real
def test_a_package_that_debian_does_not_have_is_blamed(debian: str, project: Project) -> None:
    with pytest.raises(BuildFailed, match="Unable to locate package no-such-package") as caught:
        project.ready(one={"base": debian, "apt": ["no-such-package"]})
    assert (caught.value.help or "").startswith("mend settings.image.apt") and caught.value.key == "apt"


@real
def test_what_changed_is_told_by_the_labels(built: tuple[Project, dict[str, dict[str, Any]]], base: str) -> None:
    (image,) = built[0].look(one={"base": base, "requirements": ["six==1.16.0", "idna; python_version>'3'"]})
    assert image.why.startswith("requirements changed (+idna; python_version>'3'): ")


@real
def test_no_secret_is_in_any_layer(built: tuple[Project, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    image = built[1]["baked"]["image"]
    docker("save", "-o", str(tmp_path / "image.tar"), image)
    assert SECRET not in docker("history", "--no-trunc", image) + docker("image", "inspect", image)
    saved = (tmp_path / "image.tar").read_bytes()  # layers are not compressed in it
    assert b"def work():" in saved and SECRET.encode() not in saved


@real
def test_the_archive_of_code_has_no_secrets(built: tuple[Project, dict[str, dict[str, Any]]]) -> None:
    project, containers = built
    with tarfile.open(project.root / ".runner/artifacts" / containers["one"]["code"]["key"]) as archive:
        assert archive.getnames() == ["steps.py"]


@real
@pytest.mark.engine("registry")
def test_pushed_once_and_run_by_digest(base: str, project: Project, registry: str) -> None:
    project.registry = {"flavor": "generic", "uri": f"{registry}/runner-test/{UNIQUE[:12]}"}
    wanted = {"one": of(base)["one"]}
    first = project.ready(**wanted)["one"]["image"]
    assert first.startswith(f"{registry}/runner-test/{UNIQUE[:12]}/runner-step@sha256:")
    assert {progress.action for progress in project.told} >= {"push"}
    assert project.ready(**wanted)["one"]["image"] == first and not project.told
    assert docker("run", "--rm", "--network=none", first, "python", "-c", "print(1)").strip() == "1"
    docker("rmi", "--force", docker("image", "inspect", "--format", "{{.Id}}", first).strip())
    assert [image.state for image in project.look(**wanted)] == ["to pull"]
    assert project.ready(**wanted)["one"]["image"] == first
    assert {progress.action for progress in project.told} <= {"pull"}


@real
@pytest.mark.engine("registry")
def test_a_registry_with_a_login(base: str, project: Project, closed_registry: str) -> None:
    project.write("hidden.env", "REGISTRY=a-password\n")
    (project.root / "hidden.env").chmod(0o600)
    login = {"username": "nobody", "password": "${secrets.REGISTRY}"}
    project.registry = {"flavor": "generic", "uri": f"{closed_registry}/ml", **login}
    image = project.ready(one=of(base)["one"])["one"]["image"]
    assert image.startswith(f"{closed_registry}/ml/runner-step@sha256:")
    assert [image.state for image in project.look(one=of(base)["one"])] == ["exists"]
    project.registry = {"flavor": "generic", "uri": f"{closed_registry}/ml"}
    with pytest.raises(EngineError, match=f"the image cannot be pushed to {closed_registry}/ml/runner-step"):
        project.ready(one=of(base)["one"])


def test_a_login_that_is_not_to_be_had_is_told_and_not_raised(project: Project) -> None:
    project.registry = {"flavor": "generic", "uri": "example.com/ml", "username": "x", "password": "${secrets.NONE}"}
    image = project.look(one={})[0]
    assert image.state == "not known" and "hidden.env" in image.why


@real
def test_a_dockerfile_of_ones_own_is_beneath_ours(base: str, project: Project) -> None:
    project.write("docker/Dockerfile", f"FROM {base}\nCOPY data.txt /data.txt\n")
    project.write("docker/data.txt", "from my own Dockerfile\n")
    container = project.ready(one={"context": "docker"})["one"]
    assert container["code"] is None
    told = docker("run", "--rm", "--network=none", container["image"], "cat", "/data.txt", "/app/steps.py")
    assert told.startswith("from my own Dockerfile\ndef work()")


@real
def test_a_build_that_fails_says_where_and_why(base: str, project: Project) -> None:
    with pytest.raises(BuildFailed) as caught:
        project.ready(one={"base": base, "requirements": ["six==0.0.1"]})
    assert "the generated Dockerfile, line 8: RUN python -m pip install -r" in caught.value.message
    assert "No matching distribution found for six==0.0.1" in caught.value.message
    assert caught.value.help == "mend settings.image.requirements; of step 'one'"


@real
def test_a_dockerfile_that_fails_is_shown_by_its_line(base: str, project: Project) -> None:
    project.write("docker/Dockerfile", f"# mine\nFROM {base}\nRUN echo begun && \\\n    false\n")
    with pytest.raises(BuildFailed) as caught:
        project.ready(one={"dockerfile": "docker/Dockerfile"})
    lines = caught.value.message.splitlines()
    assert lines[0] == "the image could not be built: docker/Dockerfile, line 3: RUN echo begun && false"
    assert "returned a non-zero code: 1" in lines[1] and lines[2] == "  | begun"


@real
def test_a_dockerfile_that_is_none_is_named(project: Project) -> None:
    project.write("docker/Dockerfile", "FROM scratch\nRUNN x\n")
    with pytest.raises(ImageError, match=r"docker/Dockerfile: .*unknown instruction: RUNN") as caught:
        project.ready(one={"dockerfile": "docker/Dockerfile"})
    assert caught.value.help == "mend docker/Dockerfile; of step 'one'"


@real
def test_two_builds_of_one_image_at_once_are_one(base: str, project: Project) -> None:
    image = {"base": base, "env": {"AT": "once"}}
    told: list[Progress] = []
    deployment = project.deployment(one=image)
    state = project.root / ".runner"
    both = [threading.Thread(target=made_images, args=(deployment, Containers(), state, told.append)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sum(progress.done == 1 for progress in told) == 1


@real
def test_a_ready_image_is_used_as_it_is(base: str, project: Project) -> None:
    container = project.ready(one={"image": base}, two={"image": base, "code": "baked"})
    assert container["one"]["image"] == container["two"]["image"] == base and not project.told
    assert container["one"]["code"] and container["two"]["code"] is None
    with pytest.raises(EngineError, match=r"the image '127.0.0.1:1/no/such:image' cannot be pulled"):
        project.ready(one={"image": "127.0.0.1:1/no/such:image"})


def test_without_an_engine_nothing_is_known_and_nothing_made(project: Project) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{project.root}/none.sock"}
    image = images_of(project.deployment(one={}), Containers(), nowhere)[0]
    assert image.state == "not known" and "no Docker Engine answers" in image.why
    with pytest.raises(EngineError, match="no Docker Engine answers"):
        made_ready(project.deployment(one={}), Containers(), project.root, project.told.append, environ=nowhere)


def test_documents_name_images_without_asking_anybody(project: Project) -> None:
    project.registry = {"flavor": "generic", "uri": "registry.example.com/ml"}
    steps = unresolved(project.deployment(one={}, two={"image": "mine:1"}), Containers()).steps
    assert steps["one"].container["image"].startswith("registry.example.com/ml/runner-step:")
    assert steps["two"].container["image"] == "mine:1"
    assert steps["one"].container["code"] == steps["two"].container["code"]


class Controlled(Containers):
    """A flavor whose runs have a controller, elsewhere."""

    remote = True
    controller_needs = ("urllib3>=1.26",)


def test_the_controllers_image_is_one_more_and_of_no_step(project: Project) -> None:
    made = unresolved(project.deployment(one={}), Controlled())
    assert made.controller["image"].startswith("runner-controller:")
    assert made.steps["one"].container["image"].startswith("runner-step:")
    nowhere = {"DOCKER_HOST": f"unix://{project.root}/none.sock"}
    step, controller = images_to_json(images_of(project.deployment(one={}), Controlled(), nowhere))
    assert (step["steps"], controller["steps"], controller["controller"]) == (["one"], [], True)
    assert "controller" not in step and controller["tag"] == made.controller["image"]


def test_a_flavor_without_images_is_left_alone(project: Project) -> None:
    deployment = project.deployment(one={})
    assert images_of(deployment, BaseOrchestrator()) == []
    assert made_ready(deployment, BaseOrchestrator(), project.root, project.told.append) is deployment
