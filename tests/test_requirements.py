"""Requirements of an image: lists, files that include files, and what a pyproject.toml depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.requirements import NoRequirements, arguments, requirements_of, unreadable

PYPROJECT = """\
[project]
name = "my-project"
dependencies = ["numpy>=1"]
[project.optional-dependencies]
train = ["scikit-learn"]
plot_all = ["matplotlib"]
all = ["My.Project[train,plot-all]"]
ring = ["my-project[ring]", "six"]
"""


def of(folder: Path, declared: object) -> list[str]:
    return requirements_of({"requirements": declared}, str(folder))


def test_a_list_is_itself(tmp_path: Path) -> None:
    assert of(tmp_path, ["six"]) == ["six"]
    assert requirements_of({}, "/") == []


def test_a_file_without_its_comments(tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text("# comment\nsix # why\n\n numpy>=1 \\\n  --hash=sha256:ab\n")
    assert of(tmp_path, "needs.txt") == ["six", "numpy>=1 --hash=sha256:ab"]


def test_files_that_a_file_includes(tmp_path: Path) -> None:
    (tmp_path / "needs").mkdir()
    (tmp_path / "needs/all.txt").write_text("-r base.txt\nsix\n")
    (tmp_path / "needs/base.txt").write_text("idna\n")
    assert of(tmp_path, "needs/all.txt") == ["idna", "six"]


@pytest.mark.parametrize(
    ("text", "message"), [("-r needs.txt", "includes itself"), ("-c pins.txt", "names constraints")]
)
def test_files_that_cannot_be_followed(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "needs.txt").write_text(text)
    with pytest.raises(NoRequirements, match=message):
        of(tmp_path, "needs.txt")


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("pyproject.toml", ["numpy>=1"]),
        ("pyproject.toml[train]", ["numpy>=1", "scikit-learn"]),
        ("pyproject.toml[all]", ["numpy>=1", "scikit-learn", "matplotlib"]),
        ("pyproject.toml[ring, Plot-All]", ["numpy>=1", "six", "matplotlib"]),
    ],
)
def test_what_the_project_itself_depends_on(tmp_path: Path, declared: str, found: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    assert of(tmp_path, declared) == found


def test_an_extra_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    with pytest.raises(NoRequirements, match=r"has no extra 'trian'") as caught:
        of(tmp_path, "pyproject.toml[trian]")
    assert caught.value.help == "did you mean 'train'? it has: train, plot-all, all, ring"


@pytest.mark.parametrize(
    ("text", "message"),
    [("[tool.x]", r"no table \[project\]"), ("[project]\ndynamic = ['dependencies']", "are dynamic"), ("[", "no TOML")],
)
def test_a_project_that_does_not_say_it(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(NoRequirements, match=message):
        of(tmp_path, "pyproject.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoRequirements, match=r"'gone.txt' cannot be read"):
        of(tmp_path, "gone.txt")


def test_options_are_two_arguments() -> None:
    assert arguments(["--index-url https://x/simple", "six"]) == ["--index-url", "https://x/simple", "six"]


@pytest.mark.parametrize(
    "line",
    ["six", "numpy>=1,<3", "a.b-c[x, y] ~= 1.2", "six==1.17.0 --hash=sha256:00", "six # why", "x; python_version<'4'"]
    + ["--extra-index-url https://e.com", "-e .", "./local", "git+https://e.com/x.git", "x @ https://e.com/x.zip"]
    + ["six==${VERSION}", "wheels/x-1-py3-none-any.whl", "numpy==2.*", "numpy==1.0rc1"],
)
def test_what_pip_understands(line: str) -> None:
    assert list(unreadable([line])) == []


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("six=>1", "did you mean 'six>=1'?"),
        ("six=1.16", "did you mean 'six==1.16'?"),
        ("six >> 1", "write it as in 'numpy>=1,<3'"),
        ("six 1.16", "write it as in 'numpy>=1,<3'"),
    ],
)
def test_what_pip_does_not_understand(line: str, help: str) -> None:
    ((index, message, told),) = unreadable(["six", line])
    assert (index, told) == (1, help) and message.startswith(f"'{line}' is no requirement")
