"""Why a controller does not start, in words."""

from __future__ import annotations

from typing import Any

from runner.orchestrators.flavors.kubernetes.starting import PATIENCE, of_job, of_pod, over
from runner.orchestrators.flavors.kubernetes.tails import Refused


def pod(reason: str, message: str = "", **spec: str) -> dict[str, Any]:
    waiting = {"name": "controller", "image": "x:1", "state": {"waiting": {"reason": reason, "message": message}}}
    return {"spec": {"nodeName": "n", **spec}, "status": {"containerStatuses": [waiting]}}


class Events:
    """Stands for a cluster that has these events."""

    def __init__(self, *events: dict[str, Any] | Refused) -> None:
        self.events = events

    def list(self, plural: str, selector: str = "", fields: str = "") -> tuple[list[Any], str]:
        for each in self.events:
            if isinstance(each, Refused):
                raise each
        return list(self.events), ""


def job(*events: dict[str, Any] | Refused, waited: float = 20.0) -> Any:
    cluster: Any = Events(*events)
    return of_job(cluster, "j", waited, 600.0)


def test_an_image_that_is_not_there_is_told_after_a_while() -> None:
    missing = pod("ErrImagePull", "manifest unknown")
    assert of_pod(missing, PATIENCE - 1, 600.0) is None
    found = of_pod(missing, PATIENCE + 1, 600.0)
    assert found is not None and "its image 'x:1' cannot be pulled: manifest unknown" in found.message
    assert found.help is not None and "image_pull_secrets" in found.help


def test_what_never_mends_is_told_at_once() -> None:
    found = of_pod(pod("ErrImageNeverPull"), 0.0, 600.0)
    assert found is not None and "image_pull_policy is Never" in found.message


def test_a_node_may_take_as_long_as_the_stack_says() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    unscheduled = {"spec": {}, "status": {"conditions": [condition]}}
    assert of_pod(unscheduled, 500.0, 600.0) is None
    found = of_pod(unscheduled, 601.0, 600.0)
    assert found is not None and "0/3 nodes are available" in found.message


def test_a_job_without_pods_says_why_by_its_last_event() -> None:
    first = {"type": "Warning", "message": "old", "lastTimestamp": "2027-01-01T00:00:00Z"}
    last = {"type": "Warning", "message": "exceeded quota: small", "lastTimestamp": "2027-01-01T00:00:09Z"}
    found = job(last, first)
    assert found.message == "the run's controller cannot start: exceeded quota: small" and "quota" in found.help


def test_a_job_of_which_nothing_is_said() -> None:
    assert job({"type": "Normal", "message": "fine"}) is job(Refused("no", 403)) is None
    assert "the cluster makes no pod for Job 'j'" in job(waited=601.0).message


def test_when_a_job_is_over() -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
    assert over({"status": {"conditions": [failed]}}) == ("Failed", "too often")
    assert over({"status": {"conditions": [{**failed, "status": "False"}]}}) == over({}) == ("", "")
