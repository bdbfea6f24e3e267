"""docs/reference/commands.md is what `--help` prints; `--write-golden` writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli import main
from tests.documented import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

PAGE = DOCS / "reference/commands.md"
INTRODUCTION = """# Commands

Written from `clocks COMMAND --help` by `pytest tests/unit/cli/test_reference.py --write-golden`.
"""


def helps(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    settings = {**command.context_settings, "terminal_width": 80, "max_content_width": 80}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for subname in command.list_commands(context):
            subcommand = command.get_command(context, subname)
            assert subcommand is not None
            yield from helps(subcommand, subname, context)


def test_the_reference_of_commands_is_current(request: pytest.FixtureRequest) -> None:
    sections = [f"## {path}\n\n```text\n{text}\n```\n" for path, text in helps(main, "clocks")]
    reference = "\n".join([INTRODUCTION, *sections])
    if request.config.getoption("--write-golden"):
        PAGE.write_text(reference, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == reference
