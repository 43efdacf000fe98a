"""The images of a deployment: looked up, and made ready before anything starts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runner.docker_engine import address
from runner.engine.stack import open_stack
from runner.errors import EngineError
from runner.images.archive import code_files, code_key, put_code
from runner.images.build import Progress, Tell, alone, build, connect, pull, push
from runner.images.controller import controller_recipe
from runner.images.logins import Login, login_of
from runner.images.own import own_build
from runner.images.recipe import ARCHIVE, BAKED, Recipe, recipe, travels
from runner.images.registry import Registry, place_of
from runner.images.resolve import (
    BUILD,
    EXISTS,
    PULL,
    READY,
    Image,
    Target,
    engine_has,
    images_to_json,
    known_images,
    resolve,
)
from runner.images.tree import File, digest_of
from runner.images.trouble import ImageError
from runner.images.wheel import needs_of_controller, needs_of_worker, this_runner
from runner.orchestrators.base import BaseOrchestrator
from runner.plan.deployment import Deployment
from runner.requirements import requirements_of
from runner.secret_store.stores import secrets_of

__all__ = ["Image", "Progress", "Tell", "images_of", "images_to_json", "made_images", "made_ready", "unresolved"]

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CONTROLLER = ""  # among steps: no step has this name
OF_CONTROLLER = (
    "it is the image of the run's controller, of runner and its dependencies alone: can the engine reach the registry "
    "and the package index? A ready one can be named: controller_image in the stack's orchestrator"
)
Code = Callable[[Iterable[File]], dict[str, str]]


class _Places(NamedTuple):
    """Where images are made, where they go, and what there is to know about how."""

    host: str
    target: Target | None
    remote: bool
    environ: Mapping[str, str]

    @property
    def login(self) -> Login | None:
        return self.target.registry.login if self.target else None


def images_of(
    deployment: Deployment, orchestrator: BaseOrchestrator, environ: Mapping[str, str] | None = None
) -> list[Image]:
    """The images that the steps of a deployment and its controller run in, as they are now; none for a flavor without.

    Nothing is made, and what cannot be asked is not known. Raises EngineError for settings that make no image.
    """
    if not orchestrator.needs_image:
        return []
    return _look(_wanted(deployment, orchestrator), _places(deployment, orchestrator, environ))


def made_ready(
    deployment: Deployment,
    orchestrator: BaseOrchestrator,
    folder: Path,
    tell: Tell,
    *,
    only: Collection[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Deployment:
    """The deployment with the containers of all steps and of its controller: images that are missing are built, pushed
    and pulled, and the code that travels by itself is put into the artifact store. `only` these steps' images must be
    there, and the controller's.

    `folder` is the project's state, where builds of one image wait for each other. Raises EngineError.
    """
    if not orchestrator.needs_image:
        return deployment
    images = made_images(deployment, orchestrator, folder, tell, only=only, environ=environ)
    users = [(image, (*image.steps, *([CONTROLLER] if image.controller else ()))) for image in images]
    references = {name: image.reference for image, names in users for name in names}
    return _with_containers(deployment, references, lambda files: put_code(files, _store(deployment)))


def made_images(
    deployment: Deployment,
    orchestrator: BaseOrchestrator,
    folder: Path,
    tell: Tell,
    *,
    only: Collection[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[Image]:
    """The images of a deployment; those of the steps `only`, and of the controller, are there. Raises EngineError."""
    places = _places(deployment, orchestrator, environ)
    needed = set(deployment.steps if only is None else only)
    return [
        _made(image, places, folder, tell) if image.controller or needed.intersection(image.steps) else image
        for image in _look(_wanted(deployment, orchestrator), places)
    ]


def unresolved(deployment: Deployment, orchestrator: BaseOrchestrator) -> Deployment:
    """The deployment with containers as far as they are known without asking anybody: images by tag."""
    if not orchestrator.needs_image:
        return deployment
    target = _target(deployment, {})
    references = {
        step: wanted
        if isinstance(wanted, str)
        else f"{target.repository(wanted.tag)}:{wanted.digest}"
        if target
        else wanted.tag
        for step, wanted in _wanted(deployment, orchestrator).items()
    }
    return _with_containers(deployment, references, _where)


def _made(image: Image, places: _Places, folder: Path, tell: Tell) -> Image:
    """Do what is to be done until the image is there."""
    try:
        return _had(image, places, folder, tell)
    except ImageError as error:
        if image.controller and not image.steps:
            raise EngineError(error.message, OF_CONTROLLER) from error.__cause__
        raise error.of(image.steps) from error.__cause__


def _had(image: Image, places: _Places, folder: Path, tell: Tell) -> Image:
    if image.trouble is not None:
        raise image.trouble
    if image.state in (EXISTS, READY):
        return image
    client = connect(places.host, places.environ)
    if image.state == PULL or image.recipe is None:
        pull(client, image.reference, places.login if image.recipe else None, tell)
        return image._replace(state=EXISTS)
    tag = image.recipe.tag
    with alone(folder / "images", tag.replace(":", "-")):
        if image.state == BUILD and tag not in known_images(places.host, places.environ).parts:
            build(client, image.recipe, tell)
        image = image._replace(state=EXISTS, why=image.recipe.says)
        if places.target is None:
            return image
        repository = places.target.repository(tag)
        digest = places.target.digest(tag) or push(client, tag, repository, places.target.registry, tell)
    return image._replace(reference=f"{repository}@{digest}")


def _look(wanted: Mapping[str, Recipe | str], places: _Places) -> list[Image]:
    known = known_images(places.host, places.environ)
    has = engine_has(places.host, places.environ)
    found = resolve(wanted, known=known, target=places.target, remote=places.remote, has=has)
    steps = [tuple(step for step in image.steps if step != CONTROLLER) for image in found]
    return [
        image._replace(steps=names, controller=CONTROLLER in image.steps)
        for image, names in zip(found, steps, strict=True)
    ]


def _wanted(deployment: Deployment, orchestrator: BaseOrchestrator) -> dict[str, Recipe | str]:
    """Step → how its image is made, or the ready image that it names; under CONTROLLER that of the controller."""
    root = Path(deployment.project)
    stores = str(deployment.artifact_store.get("flavor", "local")), str(deployment.secret_store.get("flavor", ""))
    needs = needs_of_worker(*stores)
    runner, code = this_runner(), cache(lambda: code_files(root, deployment.secret_store))
    found: dict[str, Recipe | str] = {}
    same: dict[str, Recipe | str] = {}
    for name, step in deployment.steps.items():
        image, key = step.image, json.dumps(step.image, sort_keys=True)
        if key not in same:
            try:
                same[key] = image.get("image") or recipe(
                    image,
                    python=_PYTHON,
                    requirements=requirements_of(image, deployment.project),
                    needs=needs,
                    runner=runner,
                    own=own_build(image, root) if "dockerfile" in image or "context" in image else None,
                    code=code() if travels(image) == BAKED else (),
                )
            except ImageError as error:
                raise error.of([name]) from None
        found[name] = same[key]
    if own := orchestrator.controller_needs:
        ready = getattr(orchestrator.settings, "controller_image", None)
        found[CONTROLLER] = ready or controller_recipe(_PYTHON, needs_of_controller(own, *stores), runner)
    return found


def _with_containers(deployment: Deployment, references: Mapping[str, str], place: Code) -> Deployment:
    root = Path(deployment.project)
    placed = cache(lambda: place(code_files(root, deployment.secret_store)))
    steps = {
        name: step._replace(
            container={"image": references[name], "code": placed() if travels(step.image) == ARCHIVE else None}
        )
        for name, step in deployment.steps.items()
    }
    controller = {"image": references[CONTROLLER]} if CONTROLLER in references else {}
    return deployment._replace(steps=steps, controller=controller)


def _places(deployment: Deployment, orchestrator: BaseOrchestrator, environ: Mapping[str, str] | None) -> _Places:
    environ = os.environ if environ is None else environ
    host = address(getattr(orchestrator.settings, "docker_host", None), environ)
    return _Places(host, _target(deployment, environ), orchestrator.remote, environ)


def _target(deployment: Deployment, environ: Mapping[str, str]) -> Target | None:
    fields = deployment.container_registry
    if not fields:
        return None
    place = place_of(fields)
    secret = secrets_of(deployment.secret_store, deployment.project)
    return Target(place, cache(lambda: Registry(place.host, login_of(fields, place.host, secret, environ))))


def _store(deployment: Deployment) -> Any:
    opened = open_stack(
        deployment.artifact_store, Path(), secret_store=deployment.secret_store, root=deployment.project
    )
    return opened.ledger.store


def _where(files: Iterable[File]) -> dict[str, str]:
    digest = digest_of(files)
    return {"key": code_key(digest), "digest": digest}
