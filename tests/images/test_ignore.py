"""`.dockerignore`: Docker's own rules, and a real Docker client beside ours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from runner.images.ignore import is_left_out, patterns_of
from runner.images.tree import ignored, tree

CASES = [
    ("*.txt", "a.txt", True),
    ("*.txt", "b/a.txt", False),
    ("**/*.txt", "a.txt", True),
    ("**/*.txt", "b/c/a.txt", True),
    ("b", "b/c/a.txt", True),
    ("/b/", "b/a", True),
    ("b/**", "b/c/a", True),
    ("b/**", "b", False),
    ("b/**/d", "b/d", True),
    ("b/**/d", "b/c/c/d", True),
    ("a?c", "abc", True),
    ("a?c", "a/c", False),
    ("[a-c].py", "b.py", True),
    ("[^a-c].py", "b.py", False),
    (r"\*.py", "a.py", False),
    (r"\*.py", "*.py", True),
    ("a.py", "axpy", False),
    ("a[", "a[", True),
    ("# a\n\n", "a", False),
    ("*\n!b", "b/a", False),
    ("*\n!b\nb/c", "b/c/d", True),
    ("./a/../b", "b", True),
    ("!a", "a", False),
    ("\ufeffa", "a", True),
]


@pytest.mark.parametrize(("text", "name", "left_out"), CASES)
def test_a_pattern(text: str, name: str, left_out: bool) -> None:
    assert is_left_out(name, patterns_of(text)) is left_out


PATTERNS = [
    "*.md\n!README.md",
    "**/*.log\nbuild\n!build/keep.txt",
    "*\n!src\nsrc/**/gen*",
    "docs/*/draft?.md\n**/[ab].py",
]
FILES = ["README.md", "x.md", "a.py", "src/b.py", "src/gen1.py", "src/p/gen.py", "src/p/q.log", "build/keep.txt"]
FILES += ["build/out.bin", "docs/en/draft1.md", "docs/en/draft12.md", "docs/draft1.md", "deep/er/c.log", "z"]


@pytest.mark.engine("docker")
@pytest.mark.parametrize("text", PATTERNS)
def test_docker_itself_leaves_out_the_same(text: str, tmp_path: Path, python_image: str) -> None:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / ".dockerignore").write_text(f"{text}\n.dockerignore\nlist.Dockerfile")
    dockerfile = f"FROM {python_image}\nCOPY . /sent\nRUN cd /sent && find . -type f > /list\n"
    (tmp_path / "list.Dockerfile").write_text(dockerfile)
    tag = f"runner-test-ignore:{uuid4().hex}"
    build = ["docker", "build", "-q", "-t", tag, "-f", tmp_path / "list.Dockerfile", tmp_path]
    subprocess.run(build, check=True, capture_output=True)
    try:
        told = subprocess.run(["docker", "run", "--rm", tag, "cat", "/list"], capture_output=True, text=True).stdout
    finally:
        subprocess.run(["docker", "rmi", tag], capture_output=True)
    assert sorted(line.removeprefix("./") for line in told.split()) == [
        file.name for file in tree(tmp_path, ignored(tmp_path))
    ]
