"""runner: declared pipelines, planned and run on the orchestrator of your choice."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__", "step_context"]


def __getattr__(name: str) -> object:
    # `import runner` happens in every worker and at every start: nothing is loaded before it is asked for.
    if name == "step_context":
        from runner.worker.context import step_context

        return step_context
    raise AttributeError(f"module 'runner' has no attribute {name!r}")
