"""The image of controllers."""

from __future__ import annotations

import re

from runner.images.controller import controller_recipe
from runner.images.wheel import RunnerWheel, needs_of_controller
from runner.integrations import needed

RELEASE = RunnerWheel("stack-runner==1.2.3")


def test_it_is_made_as_those_of_steps_are() -> None:
    made = controller_recipe("3.12", ["click>=8"], RELEASE)
    assert made.dockerfile.startswith("FROM python:3.12-slim\n") and "\nUSER 1000:1000\n" in made.dockerfile
    assert made.files["worker.txt"] == b"click>=8\n" and made.code == []
    assert made.tag.startswith("runner-controller:") and len(made.digest) == 20


def test_all_that_goes_in_counts_in_its_tag() -> None:
    made = controller_recipe("3.12", ["click>=8"], RELEASE)
    assert controller_recipe("3.12", ["click>=8"], RELEASE).tag == made.tag
    others = [
        controller_recipe("3.13", ["click>=8"], RELEASE),
        controller_recipe("3.12", ["click>=9"], RELEASE),
        controller_recipe("3.12", ["click>=8"], RunnerWheel("stack-runner==1.2.4")),
    ]
    assert made.tag not in {other.tag for other in others}


def test_it_has_runner_and_its_stores_and_no_engines_sdk() -> None:
    names = {re.split("[<>=]", each)[0] for each in needs_of_controller(["urllib3>=1.26"], "s3", "aws")}
    stores = {each.distribution for integration in ("s3", "aws-secrets") for each in needed(integration)}
    assert {"pydantic", "click", "cloudpickle", "urllib3", *stores} <= names
    assert not {"kubernetes", "docker"} & names
