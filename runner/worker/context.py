"""What a step may ask about itself while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# One step runs in a process at a time; its threads see the same context (a ContextVar would hide it from them).
_current: list[StepContext] = []


class StepContext:
    """The running step: `run_id`, `step`, `attempt`, a scratch `folder`, and `log_metrics`."""

    def __init__(self, run_id: str, step: str, attempt: int) -> None:
        self.run_id = run_id
        self.step = step
        self.attempt = attempt
        self.metrics: dict[str, Any] = {}
        self._folder: Path | None = None

    def __repr__(self) -> str:
        return f"StepContext(run_id={self.run_id!r}, step={self.step!r}, attempt={self.attempt})"

    @property
    def folder(self) -> Path:
        """A scratch folder of this attempt's own; it is removed when the attempt has ended and its outputs are kept."""
        if self._folder is None:
            import tempfile  # most steps never ask, and the worker stays lean
            from pathlib import Path

            self._folder = Path(tempfile.mkdtemp(prefix=f"runner-{self.step}-"))
        return self._folder

    def log_metrics(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Record numbers, texts or truth values under names; the last value of a name counts.

        Raises TypeError for a value that is none of these.
        """
        for name, value in {**(values or {}), **named}.items():
            self.metrics[str(name)] = _plain(name, value)

    def close(self) -> None:
        """Remove the scratch folder."""
        if self._folder is not None:
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def step_context() -> StepContext:
    """The context of the step that calls this. Raises RuntimeError outside a run."""
    if not _current:
        raise RuntimeError("step_context() answers inside a running step only: this code was called directly")
    return _current[-1]


def enter(context: StepContext) -> None:
    _current.append(context)


def leave(context: StepContext) -> None:
    _current.remove(context)
    context.close()


def _plain(name: Any, value: Any) -> Any:
    if isinstance(value, (bool, int, float, str)) and type(value).__module__ == "builtins":
        return value
    item = getattr(value, "item", None)  # a NumPy scalar, or an array of one element
    if item is not None and isinstance(found := item(), (bool, int, float, str)):
        return found
    raise TypeError(f"metric '{name}' is a {type(value).__name__}: only numbers, texts and truth values can be logged")
