"""The group of all commands: `clocks`. A command's module is imported when it is called, or described by --help."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from scheduled_tasks import __version__
from scheduled_tasks.cli.output import Commands

if TYPE_CHECKING:
    from collections.abc import Mapping

# Commands by the module of this package that has them in its COMMANDS.
MODULES: Mapping[str, tuple[str, ...]] = {
    "units": ("list", "render", "eject"),
    "deploy": ("plan", "apply", "sets", "rollback", "remove"),
    "release": ("check", "prune-releases"),
    "status": ("status", "history", "show"),
    "pauses": ("pause", "resume"),
    "run": ("run", "backfill"),
    "watch": ("watch", "reconcile", "forget-host"),
    "doctor": ("doctor",),
    "security": ("security",),
    "time": ("explain", "next", "lint"),
    "features": ("features",),
    "database": ("migrate", "prune-runs", "demo", "setup"),
    "logs": ("logs",),
    "move": ("import", "export"),
    "init": ("init",),
    "dev": ("dev",),
}
MODULE_OF = {command: module for module, commands in MODULES.items() for command in commands}


class AllCommands(Commands):
    """The commands of `MODULES`: importing all their modules takes longer than most of them do."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands."""
        return sorted(MODULE_OF)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module; for a name that no command has, all of them: click then suggests a near one."""
        if cmd_name not in self.commands:
            for module in [MODULE_OF[cmd_name]] if cmd_name in MODULE_OF else MODULES:
                for command in import_module(f"scheduled_tasks.cli.{module}").COMMANDS:
                    self.add_command(command)
        return super().get_command(ctx, cmd_name)


@click.group(cls=AllCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Recurring tasks as systemd timers: deploy, inspect, pause and run them."""
