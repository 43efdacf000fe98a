"""Every command: its help, and that the table of verbs tells what they say themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from runner.cli.group import VERBS, runner


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(runner))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_help_has_examples_of_this_command(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(runner, [*path, "--help"]).output
    assert "Examples:\n" in text
    assert f"runner {' '.join(path)}" in text.partition("Examples:")[2]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    options = [each for each in ALL[path].params if isinstance(each, click.Option) and not each.hidden]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("verb", VERBS)
def test_the_table_and_the_verb_say_the_same(verb: str) -> None:
    help = ALL[(verb,)].help or ""
    assert help.partition("\n")[0].rstrip(".").split()[0] == VERBS[verb][1].split()[0]


def test_help_lists_every_verb() -> None:
    text = CliRunner().invoke(runner, ["--help"]).output
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []


def test_verbs_complete_without_being_loaded() -> None:
    found = runner.shell_complete(click.Context(runner), "ru")
    assert [item.value for item in found] == ["run", "runs"]
