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
from runner.images.archive import code_files, code_key, put_code
from runner.images.build import Progress, Tell, alone, build, connect, pull, push
from runner.images.logins import Login, login_of
from runner.images.own import own_build
from runner.images.recipe import ARCHIVE, BAKED, Recipe, recipe, travels
from runner.images.registry import Registry, place_of
from runner.images.resolve import BUILD, EXISTS, PULL, Image, Target, engine_has, images_to_json, known_images, resolve
from runner.images.tree import File, digest_of
from runner.images.wheel import needs_of_worker, this_runner
from runner.orchestrators.base import BaseOrchestrator
from runner.plan.deployment import Deployment
from runner.requirements import requirements_of
from runner.secret_store.stores import secrets_of

__all__ = ["Image", "Progress", "Tell", "images_of", "images_to_json", "made_images", "made_ready", "unresolved"]

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
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
    """The images that the steps of a deployment run in, as they are now; none for a flavor without images.

    Nothing is made, and what cannot be asked is not known. Raises EngineError for settings that make no image.
    """
    if not orchestrator.needs_image:
        return []
    return _look(_wanted(deployment), _places(deployment, orchestrator, environ))


def made_ready(
    deployment: Deployment,
    orchestrator: BaseOrchestrator,
    folder: Path,
    tell: Tell,
    *,
    only: Collection[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Deployment:
    """The deployment with the container of each step: images that are missing are built, pushed and pulled, and the
    code that travels by itself is put into the artifact store. `only` these steps' images must be there.

    `folder` is the project's state, where builds of one image wait for each other. Raises EngineError.
    """
    if not orchestrator.needs_image:
        return deployment
    images = made_images(deployment, orchestrator, folder, tell, only=only, environ=environ)
    references = {step: image.reference for image in images for step in image.steps}
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
    """The images of a deployment, and those of the steps `only` are there. Raises EngineError."""
    places = _places(deployment, orchestrator, environ)
    needed = set(deployment.steps if only is None else only)
    return [
        made(image, places, folder, tell) if needed.intersection(image.steps) else image
        for image in _look(_wanted(deployment), places)
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
        for step, wanted in _wanted(deployment).items()
    }
    return _with_containers(deployment, references, _where)


def made(image: Image, places: _Places, folder: Path, tell: Tell) -> Image:
    """Do what is to be done until the image is there."""
    if image.trouble is not None:
        raise image.trouble
    if image.state == EXISTS:
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
    return resolve(wanted, known=known, target=places.target, remote=places.remote, has=has)


def _wanted(deployment: Deployment) -> dict[str, Recipe | str]:
    """Step → how its image is made, or the ready image that it names."""
    root = Path(deployment.project)
    needs = needs_of_worker(
        str(deployment.artifact_store.get("flavor", "local")), str(deployment.secret_store.get("flavor", ""))
    )
    runner, code = this_runner(), cache(lambda: code_files(root, deployment.secret_store))
    found: dict[str, Recipe | str] = {}
    same: dict[str, Recipe | str] = {}
    for name, step in deployment.steps.items():
        image, key = step.image, json.dumps(step.image, sort_keys=True)
        if key not in same:
            same[key] = image.get("image") or recipe(
                image,
                python=_PYTHON,
                requirements=requirements_of(image, deployment.project),
                needs=needs,
                runner=runner,
                own=own_build(image, root) if "dockerfile" in image or "context" in image else None,
                code=code() if travels(image) == BAKED else (),
            )
        found[name] = same[key]
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
    return deployment._replace(steps=steps)


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
