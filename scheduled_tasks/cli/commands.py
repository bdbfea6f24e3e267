"""The group of all commands: `clocks`. A command's module is imported when it is called, or described by --help."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from scheduled_tasks import __version__
from scheduled_tasks.cli.help.examples import add_examples
from scheduled_tasks.cli.output import Commands

if TYPE_CHECKING:
    from collections.abc import Mapping

# The sections of --help; each command with the module of this package that has it in its COMMANDS.
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Look": {
        "status": "status",
        "history": "status",
        "show": "status",
        "logs": "logs",
        "list": "units",
        "next": "time",
        "doctor": "doctor",
    },
    "Switch": {"pause": "pauses", "resume": "pauses", "features": "features"},
    "Run": {
        "run": "run",
        "backfill": "run",
        "watch": "watch",
        "reconcile": "watch",
        "forget-host": "watch",
        "prune-runs": "database",
    },
    "Deploy": {
        "check": "release",
        "plan": "deploy",
        "apply": "deploy",
        "sets": "deploy",
        "rollback": "deploy",
        "remove": "deploy",
        "prune-releases": "release",
        "migrate": "database",
        "security": "security",
        "render": "units",
        "install-help": "help.install",
    },
    "Project": {
        "init": "init",
        "setup": "database",
        "demo": "database",
        "dev": "dev",
        "explain": "time",
        "lint": "time",
    },
    "Move": {"import": "move", "export": "move", "eject": "units"},
}
MODULE_OF = {command: module for commands in SECTIONS.values() for command, module in commands.items()}


class AllCommands(Commands):
    """The commands of `SECTIONS`: importing all their modules takes longer than most of them do."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands."""
        return sorted(MODULE_OF)

    def sections(self, ctx: click.Context) -> Mapping[str, list[str]]:  # noqa: ARG002 - as above
        """The names of all commands, by what they are for."""
        return {heading: list(commands) for heading, commands in SECTIONS.items()}

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command and its subcommands, each with --debug and its examples."""
        super().add_command(cmd, name)
        add_examples(cmd, str(cmd.name))
        for subcommand in cmd.commands.values() if isinstance(cmd, click.Group) else ():
            add_examples(subcommand, f"{cmd.name} {subcommand.name}")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module; for a name that no command has, all of them: click then suggests a near one."""
        if cmd_name not in self.commands:
            for module in [MODULE_OF[cmd_name]] if cmd_name in MODULE_OF else {*MODULE_OF.values()}:
                for command in import_module(f"scheduled_tasks.cli.{module}").COMMANDS:
                    self.add_command(command)
        return super().get_command(ctx, cmd_name)


@click.group(cls=AllCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Recurring tasks as systemd timers: deploy, inspect, pause and run them."""
