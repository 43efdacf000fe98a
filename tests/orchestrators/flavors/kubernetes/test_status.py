"""What pods' statuses say, as a real cluster wrote them (`seen/`)."""

from __future__ import annotations

import pytest
from pod_bench import seen

from runner.orchestrators.flavors.kubernetes.status import (
    Wait,
    attempt_of,
    began,
    is_condemned,
    is_leaving,
    is_over,
    more_telling,
    wait_of,
    words_of,
)


@pytest.mark.parametrize(
    ("name", "reason", "words", "hopeless"),
    [
        ("new", "unschedulable", "no scheduler has looked at it yet", False),
        ("unschedulable", "unschedulable", "0/1 nodes are available: 1 Insufficient cpu.", False),
        (
            "image",
            "image",
            "'127.0.0.1:5000/no-such:1' cannot be pulled: rpc error: code = Unknown desc = Error",
            False,
        ),
        ("image-name", "image", "'Bad Image' cannot be pulled: Failed to apply default image tag", True),
        ("secret", "config", 'cannot be configured: secret "no-such-secret" not found', True),
        ("root", "config", "breaks non-root policy", True),
        ("mount", "container", "its container was not made yet", False),
    ],
)
def test_why_a_container_does_not_run_yet(name: str, reason: str, words: str, hopeless: bool) -> None:
    found = wait_of(seen(name))
    assert (found.reason, found.hopeless) == (reason, hopeless) and words in found.message


def test_what_the_registry_said_first_is_kept() -> None:
    first, later = wait_of(seen("image")), wait_of(seen("image-later"))
    assert more_telling(first, later) == first
    assert more_telling(Wait("unschedulable", "no room"), later) == later


def test_a_cluster_that_cannot_read_its_configuration_for_a_moment_is_waited_for() -> None:
    pod = seen("secret")
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    waiting["message"] = "failed to sync secret cache: timed out waiting for the condition"
    assert not wait_of(pod).hopeless


@pytest.mark.parametrize(
    ("name", "over", "has_begun"),
    [
        ("new", False, False),
        ("image", False, False),
        ("running", False, True),
        ("deleted-runs", False, True),
        ("deleted", True, True),
        ("oom", True, True),
        ("init", True, False),
        ("deadline", False, True),
    ],
)
def test_whether_it_runs_and_is_over(name: str, over: bool, has_begun: bool) -> None:
    pod = seen(name)
    assert (is_over(pod), began(pod) is not None) == (over, has_begun)


def test_a_pod_that_its_node_gave_up_and_that_still_runs() -> None:
    assert [name for name in ("running", "deleted-runs", "oom", "deadline") if is_condemned(seen(name))] == ["deadline"]


def test_a_pod_that_somebody_deleted() -> None:
    assert [name for name in ("running", "deleted-runs", "deleted") if is_leaving(seen(name))] == [
        "deleted-runs",
        "deleted",
    ]


def test_which_attempt_it_is() -> None:
    pod = seen("oom")
    assert attempt_of(pod) == ("oom", 1)
    pod["metadata"]["annotations"] = {"runner/step": "oom_"}  # which no label can be
    assert attempt_of(pod) == ("oom_", 1)


def test_of_a_wait_that_nobody_has_explained_there_is_nothing_to_tell() -> None:
    assert words_of(wait_of(seen("new"))) == ""
    assert words_of(wait_of({"spec": {"nodeName": "n"}})) == ""
    assert words_of(wait_of(seen("unschedulable"))) == "0/1 nodes are available: 1 Insufficient cpu."
