"""A flavor whose documents are checked and planned for, and which cannot run anything yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from runner.orchestrators.base import BaseOrchestrator, Bundle, StackLike, Submission
from runner.orchestrators.portability import require_available
from runner.plan.deployment import Deployment
from runner.records import Event, LogLines


class PendingOrchestrator(BaseOrchestrator):
    """Declares settings and capabilities; everything that touches the engine says that it cannot yet."""

    available: ClassVar[bool] = False
    compiles: ClassVar[bool] = False

    def compile(self, deployment: Deployment) -> Bundle:
        require_available(self)
        return super().compile(deployment)

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        require_available(self)
        return super().submit(bundle, stack)

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        require_available(self)
        yield from super().watch(submission, stack)

    def logs(self, submission: Submission, step: str, stack: StackLike) -> Iterator[str]:
        require_available(self)
        yield from super().logs(submission, step, stack)

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        require_available(self)
        super().cancel(submission, stack)
