"""The command `runner`: from arguments to an exit code. Every error ends here."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from runner import __version__

REFUSED, USAGE, INTERRUPTED = 5, 64, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _version() if given == ["--version"] else _run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output is gone (`runner … | head`): that is its right
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return REFUSED


def _version() -> int:
    # Before anything is imported: scripts and shells ask often.
    print(f"runner {__version__}")
    return 0


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave_out_plugins_of_pydantic() -> None:
    # Before its first model pydantic reads the metadata of every installed package, in search of plugins for itself: a
    # tenth of the start-up. PYDANTIC_DISABLE_PLUGINS keeps it from reading, but not from loading what reads.
    none = ModuleType("pydantic.plugin._loader")
    none.get_plugins = lambda: ()  # type: ignore[attr-defined]
    sys.modules.setdefault(none.__name__, none)


def _run(arguments: list[str]) -> int:
    # Imports and documents make objects that stay: looking for garbage among them takes a third of the start-up.
    gc.disable()
    _leave_out_plugins_of_pydantic()
    # Here and not above: click alone takes as long as all of `runner --version`.
    import click

    from runner.cli.errors import tell, tell_bug, tell_refused
    from runner.cli.group import runner
    from runner.errors import RunnerError

    if "_RUNNER_COMPLETE" in os.environ:
        runner.main(prog_name="runner")
    try:
        with runner.make_context("runner", arguments) as context:
            result = runner.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except RunnerError as error:
        return tell(error)
    except (KeyboardInterrupt, click.Abort):
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        return tell_refused(error)
    except Exception as error:
        return tell_bug(error, arguments)
