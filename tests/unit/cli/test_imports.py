"""A command pays for what is imported before it: its own module, and nothing that only other commands need."""

from __future__ import annotations

import ast
import subprocess
import sys

import click

from scheduled_tasks.cli import main
from scheduled_tasks.cli.commands import MODULE_OF
from tests.documented import ROOT

HEAVY = ("psycopg", "jinja2", "apscheduler", "watchfiles", "scheduled_tasks.importers", "scheduled_tasks.exporters")
LIST = f"""
import sys
from scheduled_tasks.cli import main
try:
    main(["list"], prog_name="clocks")
except SystemExit as end:
    assert not end.code
print(sorted(name for name in sys.modules if name in {HEAVY!r} or name.startswith("scheduled_tasks.cli.")))
"""


def test_listing_clocks_imports_no_other_commands() -> None:
    done = subprocess.run([sys.executable, "-c", LIST], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.removeprefix("scheduled_tasks.cli.") for name in ast.literal_eval(done.stdout.splitlines()[-1])}
    assert imported & {*HEAVY, *MODULE_OF.values()} == {"units"}


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
