"""A command pays for what is imported before it: its own module, and nothing that only other commands need."""

from __future__ import annotations

import ast
import subprocess
import sys

import click

from scheduled_tasks.cli import main
from scheduled_tasks.cli.commands import MODULE_OF, SUMMARIES
from tests.documented import ROOT

# What only some commands need: by its name, or that of its package.
HEAVY = (
    *("psycopg", "jinja2", "apscheduler", "rich", "watchfiles", "subprocess", "scheduled_tasks.clock_file"),
    *("scheduled_tasks.deploy", "scheduled_tasks.options", "scheduled_tasks.schedule", "scheduled_tasks.importers"),
    *("scheduled_tasks.exporters", "scheduled_tasks.render.units", "scheduled_tasks.operate.status"),
    "scheduled_tasks.operate.history",
)
CALL = """
import sys
from scheduled_tasks.cli import main
try:
    main(sys.argv[1:], prog_name="clocks")
except SystemExit as end:
    assert not end.code
print(list(sys.modules))
"""


def imported_by(*arguments: str) -> tuple[set[str], set[str]]:
    """What of `HEAVY` a command imports, and which commands' modules."""
    command = [sys.executable, "-c", CALL, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names = ast.literal_eval(done.stdout.splitlines()[-1])
    return (
        {heavy for heavy in HEAVY for name in names if f"{name}.".startswith(f"{heavy}.")},
        {module for module in MODULE_OF.values() if f"scheduled_tasks.cli.{module}" in names},
    )


def test_help_imports_no_command_and_nothing_that_only_some_need() -> None:
    assert imported_by("--help") == (set(), set())


def test_the_help_of_a_command_imports_that_command_and_nothing_that_only_some_need() -> None:
    assert imported_by("status", "--help") == (set(), {"status"})
    assert imported_by("features", "list", "--help") == (set(), {"features"})


def test_listing_clocks_imports_only_what_reads_clock_files() -> None:
    heavy, commands = imported_by("list")
    assert heavy == {"scheduled_tasks.clock_file", "scheduled_tasks.options", "scheduled_tasks.schedule"}
    assert commands == {"units"}


def test_each_summary_in_the_help_is_the_first_sentence_of_the_commands_own_help() -> None:
    context = click.Context(main)
    own = {name: main.get_command(context, name) for name in SUMMARIES}
    assert {name: command.get_short_help_str(1000) for name, command in own.items() if command} == SUMMARIES


def test_every_command_is_in_the_module_from_which_it_is_imported() -> None:
    for name, module in MODULE_OF.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.callback is not None
        assert command.callback.__module__ == f"scheduled_tasks.cli.{module}"


def test_a_misspelt_command_is_told_the_near_ones() -> None:
    command = [sys.executable, "-m", "scheduled_tasks.cli", "lst"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "'list'" in done.stderr
