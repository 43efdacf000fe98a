"""A step of no consequence, gone through before the first fork.

After a fork every page of memory costs some 4 µs at its first touch, and a step touches hundreds. What the interpreter
writes down once (the fast forms of instructions, the places of methods, the addresses of library functions) is written
before it is copied, not by every child anew.
"""

from __future__ import annotations

import marshal

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.memory import MemoryArtifactStore
from runner.plan.deployment import StepJob, job_fields, job_from_fields
from runner.records import result_to_json
from runner.worker.call import execute
from runner.worker.secrets import Resolver


def step(value: int, more: int = 0) -> int:
    """The step."""
    return value + more


def rehearse(times: int) -> None:
    """Go through all that a step goes through, but for files and sockets."""
    ledger = Ledger(MemoryArtifactStore())
    resolver = Resolver("rehearsal")
    job = StepJob("rehearsal", "step", 1, f"{__name__}:step", {}, {"value": 1}, (), {}, {}, "/", "0" * 64)
    for _ in range(times):
        message = marshal.dumps(job_fields(job))
        result = execute(job_from_fields(marshal.loads(message)), ledger, resolver)  # noqa: S302  (just dumped)
        marshal.dumps(result_to_json(result))
        job = job._replace(inputs={"value": result.outputs["output"]}, parameters={"more": 1})
