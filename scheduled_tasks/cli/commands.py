"""The group of all commands: `clocks`. A command's module is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from scheduled_tasks import __version__
from scheduled_tasks.cli.help.examples import add_examples
from scheduled_tasks.cli.output import Commands

if TYPE_CHECKING:
    from collections.abc import Mapping

# The sections of --help; each command with the module of this package that has it in its COMMANDS, and its summary, for
# which --help would have to import all of them.
SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Look": {
        "status": ("status", "Show each job's state, last result, next run and pauses."),
        "incidents": ("alerts.incidents", "Show incidents: what is or was wrong, newest first."),
        "history": ("status", "Show past slots and runs, newest first, with every attempt."),
        "show": ("status", "Show one run, all attempts at its slot, and its log lines."),
        "logs": ("logs", "Show the log lines of jobs."),
        "list": ("units", "Show each job: its task, schedule and description."),
        "next": ("time", "Show each job's next run, or the next five of one job."),
        "doctor": ("doctor", "Find what is wrong with this machine's timers."),
        "page": ("page.serve", "Show all this in a browser."),
        "tokens": ("page.tokens", "Show, create and revoke the page's tokens of programs."),
    },
    "Switch": {
        "pause": ("pauses", "Pause a job, a clock or all, on all hosts or on one."),
        "resume": ("pauses", "End the pause of exactly this job, this clock or --all."),
        "ack": ("alerts.incidents", "Say nothing more about an incident until it is closed."),
        "snooze": ("alerts.incidents", "Say nothing about an incident until a time."),
        "features": ("features", "Show and switch feature flags."),
    },
    "Run": {
        "run": ("running.run", "Start a job's unit now, here or with --host elsewhere."),
        "backfill": ("running.run", "Run a job for past slots, in order."),
        "stop": ("running.requests", "Stop a run, on whichever host it runs."),
        "requests": ("running.requests", "Show what hosts were asked to do, and what became of it."),
        "watch": ("watch", "Record overdue slots as missed or skipped."),
        "listen": ("running.listen", "Start the watch when this host is asked for something."),
        "reconcile": ("watch", "Record what this host's runs could not."),
        "forget-host": ("watch", "Forget a host that no longer exists."),
        "prune-runs": ("database", "Delete runs older than a number of days."),
    },
    "Tell": {
        "notify": ("alerts.notify", "Send notices, and test the routes by which they go."),
        "monitors": ("alerts.monitors", "Show and create checks of jobs at services outside."),
    },
    "Measure": {
        "metrics": ("measure.metrics", "Print the state of all jobs as metrics for Prometheus."),
        "traces": ("measure.traces", "Show how the export of traces goes."),
    },
    "Deploy": {
        "check": ("release", "Check whether this release can be activated on this host."),
        "plan": ("deploy", "Show what `clocks apply` would do."),
        "apply": ("deploy", "Make this machine's timers match the clock files."),
        "sets": ("deploy", "Show the current set of units and the earlier ones."),
        "rollback": ("deploy", "Switch back to the previous set of units, or to SET."),
        "remove": ("deploy", "Remove all units, sets and stamps from this machine."),
        "prune-releases": ("release", "Remove old releases and the sets of units that use them."),
        "migrate": ("database", "Bring the database's tables up to this release."),
        "security": ("security", "Show how exposed each unit is, and why."),
        "render": ("units", "Write the units of all clocks into DIRECTORY."),
        "install-help": ("help.install", "Write man pages and shell completion into DIRECTORY."),
    },
    "Project": {
        "init": ("init", "Write a project's first configuration and an example."),
        "setup": ("database", "Set up a checkout for its first run."),
        "demo": ("database", "Fill the project's empty tables with sample data."),
        "dev": ("dev", "Run clocks in the foreground, without systemd."),
        "explain": ("time", "Explain a schedule: its systemd lines and next runs."),
        "lint": ("time", "Warn about surprises in schedules."),
    },
    "Move": {
        "import": ("moving.imports", "Import APScheduler files or crontabs."),
        "export": ("moving.exports", "Export the jobs to Kubernetes, Helm, cron or Prometheus."),
        "eject": ("units", "Write plain units that work without clocks into DIRECTORY."),
    },
}
MODULE_OF = {name: module for commands in SECTIONS.values() for name, (module, _) in commands.items()}
SUMMARIES = {name: summary for commands in SECTIONS.values() for name, (_, summary) in commands.items()}


class AllCommands(Commands):
    """The commands of `SECTIONS`: importing all their modules takes longer than most of them do."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands."""
        return sorted(MODULE_OF)

    def sections(self, ctx: click.Context) -> Mapping[str, list[str]]:  # noqa: ARG002 - as above
        """The names of all commands, by what they are for."""
        return {heading: list(commands) for heading, commands in SECTIONS.items()}

    def summary(self, ctx: click.Context, name: str) -> str:  # noqa: ARG002 - as above
        """A command's summary."""
        return SUMMARIES[name]

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
