"""What `settings.image.requirements` says: a list, a requirements file, or what a pyproject.toml depends on.

The format of requirements files is pip's: https://pip.pypa.io/en/stable/reference/requirements-file-format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import EngineError, nearest

_PYPROJECT = re.compile(r"((?:.*/)?pyproject\.toml)(?:\[([^\]]*)\])?")
_INCLUDED = re.compile(r"(?:-r|--requirement)(?:\s+|=)?(.+)")
_CONSTRAINTS = re.compile(r"(?:-c\b|--constraint\b)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_PLAIN = re.compile(
    r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:\s*\[[\w\s.,-]*\])?(?:\s*(?:[<>]=?|[=!~]=)\s*\d+(?:\.\d+)*\s*(?:,(?=.)|$))*"
)
_PIPS_OWN = re.compile(r"-|[./~]|[\w+]+://|.*(?:\$\{|\.(?:whl|zip|gz|bz2)$)")
_SWAPPED = re.compile(r"=([<>])|(?<![=!~<>])=(?!=)")
_ITSELF = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*\[([^\]]*)\]\s*")


class NoRequirements(EngineError):
    """What should say the requirements is not there, or does not say them."""


def requirements_of(image: Mapping[str, Any], project: str) -> list[str]:
    """The requirements of `settings.image`, one a line, files that include each other in place.

    `requirements` is a list, the name of a requirements file, `pyproject.toml` or `pyproject.toml[extra,…]`, from the
    project's root folder. Raises NoRequirements.
    """
    declared = image.get("requirements") or []
    if not isinstance(declared, str):
        return list(declared)
    if found := _PYPROJECT.fullmatch(declared):
        return _of_pyproject(Path(project), found[1], [name.strip() for name in (found[2] or "").split(",") if name])
    return list(_of_file(Path(project), declared, ()))


def arguments(requirements: Sequence[str]) -> list[str]:
    """Requirements as arguments of pip: an option and its value are two."""
    return [word for line in requirements for word in (line.split(None, 1) if line.startswith("-") else [line])]


def unreadable(requirements: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Which of these pip will not understand: its index, what to say of it, and what to do.

    Options, paths and addresses are pip's own business. The rules are those of
    https://packaging.python.org/en/latest/specifications/dependency-specifiers.
    """
    for index, line in enumerate(requirements):
        text = _COMMENT.sub("", line).strip()
        if not _PLAIN.fullmatch(text) and not _PIPS_OWN.match(text) and not _is_right(text.split(" --")[0]):
            meant = _SWAPPED.sub(lambda found: f"{found[1]}=" if found[1] else "==", text)
            help = f"did you mean '{meant}'?" if meant != text and _is_right(meant) else "write it as in 'numpy>=1,<3'"
            yield index, f"'{text}' is no requirement that pip understands", help


def _is_right(text: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement  # most are told to be right at a glance

    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _of_file(root: Path, name: str, within: tuple[str, ...]) -> Iterator[str]:
    if name in within:
        raise NoRequirements(f"requirements file '{name}' includes itself", "take the line -r out that closes the ring")
    for line in _lines(_text(root, name, "requirements file")):
        if found := _INCLUDED.fullmatch(line):
            included = (Path(name).parent / found[1].strip()).as_posix()
            yield from _of_file(root, included, (*within, name))
        elif _CONSTRAINTS.match(line):
            help = "write the versions beside the requirements themselves, as pip-compile and uv do"
            raise NoRequirements(
                f"requirements file '{name}' names constraints, '{line}', which is not understood", help
            )
        else:
            yield line


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if stripped := " ".join(_COMMENT.sub("", line).split()):
            yield stripped


def _of_pyproject(root: Path, name: str, extras: list[str]) -> list[str]:
    import tomllib  # most pipelines have no use for it

    try:
        document = tomllib.loads(_text(root, name, "the project's file"))
    except tomllib.TOMLDecodeError as error:
        raise NoRequirements(f"'{name}' is no TOML: {error}", "mend it") from error
    project = document.get("project")
    if not isinstance(project, dict):
        raise NoRequirements(f"'{name}' has no table [project], which holds the dependencies", "write one, or a list")
    dynamic = {"dependencies", *(["optional-dependencies"] if extras else [])} & set(project.get("dynamic", ()))
    if dynamic:
        said = f"the {' and '.join(sorted(dynamic))} of '{name}' are dynamic: only a build of the project knows them"
        raise NoRequirements(said, "write them in the file, or name a requirements file")
    optional = {_plain(extra): lines for extra, lines in project.get("optional-dependencies", {}).items()}
    found = [*project.get("dependencies", ()), *_of_extras(name, project.get("name", ""), extras, optional, ())]
    return list(dict.fromkeys(found))


def _of_extras(
    file: str, project: str, extras: Sequence[str], optional: Mapping[str, list[str]], within: tuple[str, ...]
) -> Iterator[str]:
    for extra in extras:
        if _plain(extra) not in optional:
            guess = nearest(_plain(extra), optional)
            known = f"it has: {', '.join(optional)}" if optional else "it has none"
            raise NoRequirements(
                f"'{file}' has no extra '{extra}'", (f"did you mean '{guess}'? " if guess else "") + known
            )
        for line in optional[_plain(extra)] if _plain(extra) not in within else ():
            itself = _ITSELF.fullmatch(line)
            if itself and _plain(itself[1]) == _plain(project):  # an extra of several others
                names = [name.strip() for name in itself[2].split(",")]
                yield from _of_extras(file, project, names, optional, (*within, _plain(extra)))
            else:
                yield line


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(root: Path, name: str, what: str) -> str:
    try:
        return (root / name).read_text("utf-8")
    except OSError as error:
        help = "name it as it is called from the project's root folder"
        raise NoRequirements(f"{what} '{name}' cannot be read: {error.strerror}", help) from error
    except UnicodeDecodeError as error:
        raise NoRequirements(f"{what} '{name}' cannot be read: it is not in UTF-8", "save it anew") from error
