"""Which images steps need, which of them are there, and what has to be done about the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from runner.docker_engine import NotThere, ask
from runner.errors import EngineError
from runner.images.recipe import CONTEXT, DOCKERFILE, PARTS_LABEL, REQUIREMENTS_LABEL, Recipe
from runner.images.registry import Place, Registry

EXISTS, READY, BUILD, PUSH, PULL, UNKNOWN = "exists", "ready", "to build", "to push", "to pull", "not known"

_UNKNOWN = 1_000_000
_FEW = 4  # requirements that are named


class Image(NamedTuple):
    """An image that steps, or a run's controller, run in.

    `reference` what they are started from: by digest as soon as the registry has told it
    `state`     EXISTS, or what is to be done first; READY for one that the stack's engine pulls, and nobody here looks
                for; UNKNOWN when nobody could be asked, and `why` says so
    `recipe`    how it is made; None for a ready one
    `trouble`   why it is not known
    `controller` whether the controller runs in it
    """

    reference: str
    state: str
    why: str
    steps: tuple[str, ...] = ()
    recipe: Recipe | None = None
    trouble: EngineError | None = None
    controller: bool = False


class Target(NamedTuple):
    """Where images go: the place, and the registry, for which somebody has to log in first."""

    place: Place
    connect: Callable[[], Registry]

    @property
    def registry(self) -> Registry:
        """The registry. Raises EngineError when nobody can log in."""
        return self.connect()

    def repository(self, tag: str) -> str:
        """The repository of an image, as references to it begin."""
        host = "docker.io" if self.place.host == "registry-1.docker.io" else self.place.host
        return f"{host}/{self.place.name(tag.partition(':')[0])}"

    def digest(self, tag: str) -> str | None:
        """The digest under which an image is in the registry."""
        name, _, version = tag.partition(":")
        return self.registry.digest(self.place.name(name), version)


class Known(NamedTuple):
    """What an engine has of our images: tag, or name@digest → the parts that its label tells; and parts of that kind →
    the requirements that another label tells.

    `trouble` when it cannot be asked."""

    parts: dict[str, dict[str, str]] = {}
    trouble: EngineError | None = None
    requirements: dict[str, list[str]] = {}


def known_images(host: str, environ: Mapping[str, str]) -> Known:
    """Ask the engine at `host`, once, for all images of our making, the newest first."""
    wanted = quote(json.dumps({"label": [PARTS_LABEL]}))
    try:
        found = ask(host, f"/images/json?filters={wanted}", environ)
    except EngineError as error:
        return Known(trouble=error)
    known = Known({}, None, {})
    for image in sorted(found, key=lambda image: -image.get("Created", 0)):
        parts = dict(word.split("=", 1) for word in image["Labels"][PARTS_LABEL].split())
        known.parts.update((tag, parts) for tag in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())])
        if told := image["Labels"].get(REQUIREMENTS_LABEL):
            known.requirements[parts.get("requirements", "")] = json.loads(told)
    return known


def resolve(
    steps: Mapping[str, Recipe | str],
    *,
    known: Known,
    target: Target | None,
    remote: bool,
    has: Callable[[str], bool],
) -> list[Image]:
    """The images of steps, each once: step → its recipe, or the reference of a ready image.

    `known` what the engine has          `target` where images are pushed; None for nowhere
    `remote` steps run elsewhere: the engine here only builds       `has` whether the engine has a ready image
    """
    grouped: dict[str, tuple[Recipe | str, list[str]]] = {}
    for step, wanted in steps.items():
        key = wanted if isinstance(wanted, str) else wanted.tag
        grouped.setdefault(key, (wanted, []))[1].append(step)
    found = []
    for wanted, names in grouped.values():
        image = _ready(wanted, known, remote, has) if isinstance(wanted, str) else _made(wanted, known, target, remote)
        found.append(image._replace(steps=tuple(names)))
    return found


def _ready(reference: str, known: Known, remote: bool, has: Callable[[str], bool]) -> Image:
    if remote:
        return Image(reference, READY, "not looked for: the engine of the stack pulls it")
    if known.trouble is not None:
        return _unknown(reference, known.trouble)
    if has(reference):
        return Image(reference, EXISTS, "a ready image")
    return Image(reference, PULL, "a ready image that is not on this machine")


def _made(recipe: Recipe, known: Known, target: Target | None, remote: bool) -> Image:
    here = recipe.tag in known.parts
    if target is None:
        if known.trouble is not None:
            return _unknown(recipe.tag, known.trouble, recipe)
        state, why = (EXISTS, recipe.says) if here else (BUILD, _why(recipe, known))
        return Image(recipe.tag, state, why, recipe=recipe)
    repository = target.repository(recipe.tag)
    tagged = f"{repository}:{recipe.digest}"
    try:
        digest = target.digest(recipe.tag)
    except EngineError as error:
        return _unknown(tagged, error, recipe)
    if digest is not None:
        by_digest = f"{repository}@{digest}"
        if remote or by_digest in known.parts:
            return Image(by_digest, EXISTS, recipe.says, recipe=recipe)
        if known.trouble is not None:
            return _unknown(by_digest, known.trouble, recipe)
        return Image(by_digest, PULL, "it is in the registry, and not on this machine", recipe=recipe)
    if known.trouble is not None:
        return _unknown(tagged, known.trouble, recipe)
    if here:
        return Image(tagged, PUSH, "it is not in the registry", recipe=recipe)
    return Image(tagged, BUILD, _why(recipe, known), recipe=recipe)


def _unknown(reference: str, trouble: EngineError, recipe: Recipe | None = None) -> Image:
    return Image(reference, UNKNOWN, trouble.message, recipe=recipe, trouble=trouble)


def engine_has(host: str, environ: Mapping[str, str]) -> Callable[[str], bool]:
    """Whether the engine at `host` has an image."""

    def has(reference: str) -> bool:
        try:
            ask(host, f"/images/{quote(reference, safe='/:@')}/json", environ)
        except NotThere:
            return False
        return True

    return has


def _why(recipe: Recipe, known: Known) -> str:
    """What differs from the image that is most like it; the newest of several."""
    name = recipe.tag.partition(":")[0]
    others = [parts for tag, parts in known.parts.items() if name in tag]
    if recipe.own is not None and any(_same(recipe, parts, DOCKERFILE) for parts in others):
        if not any(_same(recipe, parts, DOCKERFILE, CONTEXT) for parts in others):
            return f"the build context of {recipe.own.shown} changed: narrow `context`, or leave out by .dockerignore"
        others = [parts for parts in others if _same(recipe, parts, DOCKERFILE, CONTEXT)]
    if not others:
        return f"never built: {recipe.says}"
    compared = (_compared(recipe, parts, known) for parts in others)
    changed, differ = min(compared, key=lambda each: (len(each[0]), len(each[1]) if each[1] is not None else _UNKNOWN))
    if len(changed) > 2 or "base" in changed:
        return f"never built: {recipe.says}"
    differ = differ or []
    more = [f"{len(differ) - _FEW} more"] if len(differ) > _FEW else []
    told = f" ({', '.join([*differ[:_FEW], *more])})" if differ else ""
    return f"{' and '.join(changed) or 'code'} changed{told}: {recipe.says}"


def _same(recipe: Recipe, parts: Mapping[str, str], *names: str) -> bool:
    return all(recipe.parts.get(name) == parts.get(name) for name in names)


def _compared(recipe: Recipe, parts: Mapping[str, str], known: Known) -> tuple[list[str], list[str] | None]:
    """The parts in which an image differs, and the requirements that came and went, None where nobody knows them."""
    changed = [name for name, digest in recipe.parts.items() if name != "code" and parts.get(name) != digest]
    if "requirements" not in changed:
        return changed, []
    if (had := known.requirements.get(parts.get("requirements", ""))) is None:
        return changed, None
    has = [line.split(" --")[0] for line in recipe.requirements]
    return changed, [f"+{each}" for each in has if each not in had] + [f"-{each}" for each in had if each not in has]


def images_to_json(images: Iterable[Image]) -> list[dict[str, Any]]:
    """Images as JSON values."""
    return [
        {"image": image.reference, "state": image.state, "why": image.why, "steps": list(image.steps)}
        | ({"controller": True} if image.controller else {})
        | ({"dockerfile": image.recipe.dockerfile, "tag": image.recipe.tag} if image.recipe else {})
        for image in images
    ]
