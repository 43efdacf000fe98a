"""The log of an attempt, kept in the ledger by the process that watches over it; secrets' values are masked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import StepJob
from runner.worker.masking import Stream

UPLOAD_TICK = 3.0  # seconds between two uploads of a log that grows in a bucket


class Log:
    """Appends to a file where the store has files; elsewhere uploads the whole text now and then and at the end."""

    def __init__(self, ledger: Ledger, job: StepJob) -> None:
        self.ledger = ledger
        self.job = job
        self.stream = Stream()
        self.text = b""
        self.uploaded = 0
        self.next_upload = 0.0
        path = ledger.log_path(job.run_id, job.step, job.attempt)
        self.file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def mask(self, forms: Iterable[str]) -> None:
        """These texts give secrets away."""
        self.stream.add(forms)

    def add(self, data: bytes) -> None:
        """What was printed."""
        self._write(self.stream.feed(data))

    def flush(self, now: float) -> None:
        """Upload what is new, when it is time to; `now` is monotonic."""
        if self.file is None and len(self.text) > self.uploaded and now >= self.next_upload:
            self.next_upload = now + UPLOAD_TICK
            with contextlib.suppress(StoreError):  # the next one may get through, and the last one must
                self._upload()

    def close(self) -> None:
        """Write what was held back. Raises StoreError."""
        self._write(self.stream.end())
        if self.file is not None:
            os.close(self.file)
        elif len(self.text) > self.uploaded:
            self._upload()

    def _write(self, data: bytes) -> None:
        if self.job.echo:
            os.write(1, data)
        if self.file is None:
            self.text += data
        elif data:
            os.write(self.file, data)

    def _upload(self) -> None:
        self.ledger.put_log(self.job.run_id, self.job.step, self.job.attempt, self.text.decode("utf-8", "replace"))
        self.uploaded = len(self.text)
