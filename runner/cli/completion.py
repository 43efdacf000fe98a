"""`runner completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from runner.cli.group import runner
from runner.cli.options import examples

# What the script needs of a shell whose start-up file has not done it yet. zsh wants its `#compdef` line first.
BEFORE = {"zsh": "#compdef runner\n(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"}


@click.command(
    epilog=examples(
        'eval "$(runner completion bash)"                        # this shell; in ~/.bashrc, every shell',
        'eval "$(runner completion zsh)"                         # the same in ~/.zshrc',
        "runner completion fish > ~/.config/fish/completions/runner.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    To install it, add the line below to your shell's start-up file. It completes commands, options, pipeline files,
    the names of their steps, and the ids of runs.
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for '{shell}'")
    print(BEFORE.get(shell, "") + found(runner, {}, "runner", "_RUNNER_COMPLETE").source())
