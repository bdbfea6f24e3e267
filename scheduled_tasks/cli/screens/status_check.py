"""`clocks status --check`: a status as a plugin of Nagios, Icinga, Zabbix or Sensu prints it.

The form is that of the Monitoring Plugins' development guidelines: one line with the state, what is wrong and, after a
bar, performance data; then longer text; exit code 0 to 3. What could not be read is UNKNOWN, never OK. Whether anything
is bad is decided in `operate/status.py` and `status_view.py`, as for every other command.
"""

from __future__ import annotations

import math
import os
import re
import sys
import threading
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from scheduled_tasks.cli.output import as_ours
from scheduled_tasks.cli.screens.status_screen import dead_host, failure_sentence
from scheduled_tasks.instants import shown
from scheduled_tasks.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scheduled_tasks.cli.screens.status_view import StatusView

# Incidents of what is bad by the rule of every command: the result of a job, a dead host.
SAID_ANYWAY = {"failing", "missed", "silent"}
MAX_NAMES = 5  # in the first line
MAX_OUTPUT = 4_000  # bytes: what Nagios reads of a plugin
MAX_LINE = 500  # characters of the first line without its performance data, and of each further line


_NUMBER = r"-?\d+(?:\.\d+)?"


class State(IntEnum):
    """The states of a plugin; each value is its exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Range(NamedTuple):
    """A threshold as the guidelines write it: `5`, `1:`, `~:5`, `1:5`, or `@1:5`, which alerts inside.

    Attributes:
        text: as it was given.
        start, end: the bounds, which belong to it.
        is_inside: whether values inside alert, not those outside.
    """

    text: str
    start: float
    end: float
    is_inside: bool

    def alerts(self, value: float) -> bool:
        """Whether the value is one to alert of."""
        return (self.start <= value <= self.end) is self.is_inside

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read a threshold.

        Raises:
            ValueError: it is none.
        """
        found = re.fullmatch(rf"@?(?:(~|{_NUMBER})?:)?({_NUMBER})?", text, re.ASCII)
        if not found or not (found[1] or found[2]) or text in {"~:", "@~:"}:
            raise ValueError(text)
        low = -math.inf if found[1] == "~" else float(found[1] or 0)
        high = float(found[2]) if found[2] else math.inf
        if low > high:
            raise ValueError(text)
        return cls(text, low, high, text.startswith("@"))


def read_range(_context: click.Context, _parameter: click.Parameter, value: str) -> Range:
    """Click callback: a threshold."""
    try:
        return Range.parse(value)
    except ValueError:
        known = "write 0, 1:, ~:5, 1:5 or @1:5"
        raise click.BadParameter(f"{value!r} is not a range of the plugin guidelines: {known}") from None


def plugin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with the options that a plugin has, by the guidelines' letters."""
    within = "unless the number of bad jobs is within."
    seconds = click.FloatRange(min=0.1)
    options = (
        click.option("--check", is_flag=True, help="Print one line for Nagios, Icinga or Zabbix, and exit 0 to 3."),
        _threshold("-w", "--warning", f"With --check: WARNING {within}"),
        _threshold("-c", "--critical", f"With --check: CRITICAL {within}"),
        click.option(
            *("-t", "--timeout"), type=seconds, default=10, metavar="SECONDS", show_default=True,
            help="With --check: UNKNOWN if it takes longer.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _threshold(letter: str, name: str, help_: str) -> Callable[..., Any]:
    return click.option(letter, name, callback=read_range, default="0", metavar="RANGE", show_default=True, help=help_)


class PluginCommand(click.Command):
    """A command that is a plugin with --check: whatever goes wrong then is UNKNOWN."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the arguments."""
        if "--check" not in args:
            return super().make_context(info_name, args, parent, **extra)
        with _unknown_if_unread():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command."""
        if not ctx.params.get("check"):
            return super().invoke(ctx)
        with _unknown_if_unread(), _time_limit(ctx.params["timeout"]):
            return super().invoke(ctx)


@contextmanager
def _unknown_if_unread() -> Iterator[None]:
    try:
        yield
    except click.exceptions.Exit:  # of --help, which says nothing of any job
        sys.exit(State.UNKNOWN)
    except (KeyboardInterrupt, click.Abort):
        _unknown("interrupted")
    except click.ClickException as error:
        _unknown(error.format_message())
    except Exception as error:  # noqa: BLE001 - whatever it is, the status was not read
        _unknown(str(as_ours(error)))


def _unknown(why: str) -> NoReturn:
    click.echo(_first_line(State.UNKNOWN, why))
    sys.exit(State.UNKNOWN)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End the process if it takes longer, even within a call of C that no exception interrupts."""

    def give_up() -> None:
        os.write(1, f"{_first_line(State.UNKNOWN, f'no answer within {seconds:g} s')}\n".encode())
        os._exit(State.UNKNOWN)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end(view: StatusView, jobs: int, warning: Range, critical: Range) -> NoReturn:
    """Print what `check` returns, and exit with its state."""
    state, lines = check(view, jobs, warning, critical)
    click.echo("\n".join(lines))
    sys.exit(state)


def check(view: StatusView, jobs: int, warning: Range, critical: Range) -> tuple[State, list[str]]:
    """The state, and the lines to print.

    Args:
        view: the status; of jobs it needs only those that are bad.
        jobs: how many jobs are deployed.
        warning: the threshold for the number of bad jobs that warns.
        critical: the one that is critical.
    """
    bad = [job for job in view.jobs if job.is_bad]
    dead = [host for host in view.hosts if host.is_dead]
    incidents = [incident for incident in view.unseen_incidents if incident.kind not in SAID_ANYWAY]
    if critical.alerts(len(bad)) or dead or view.faults:
        state = State.CRITICAL
    else:
        state = State.WARNING if warning.alerts(len(bad)) or incidents else State.OK
    problems = [
        _named(f"{len(bad)} bad", [f"{job.clock}/{job.job}" for job in bad])
        if bad
        else f"{counted(jobs, 'job')}, none bad",
        _named(counted(len(dead), "dead host"), [host.host for host in dead]),
        _named(counted(len(view.faults), "fault"), view.faults),
        _named(
            counted(len(incidents), "open incident"), [f"{incident.kind} {incident.name}" for incident in incidents]
        ),
    ]
    data = {
        "jobs": f"{jobs};;;0",
        "bad": f"{len(bad)};{warning.text};{critical.text};0;{max(jobs, len(bad))}",
        "hosts": f"{len(view.hosts)};;;0",
        "dead_hosts": f"{len(dead)};;0;0;{len(view.hosts)}",
        "faults": f"{len(view.faults)};;0;0",
        "incidents": f"{len(incidents)};0;;0",
    }
    first = _first_line(state, "; ".join(filter(None, problems)))
    line = f"{first} | {' '.join(f'{name}={value}' for name, value in data.items())}"
    return state, [line, *_cut(_details(view), MAX_OUTPUT - len(line.encode()))]


def _named(what: str, names: list[str]) -> str:
    """A count with the first names; "" if there are none."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{what}: {', '.join(names[:MAX_NAMES])}{more}" if names else ""


def _details(view: StatusView) -> Iterator[str]:
    """Why, a line for each."""
    for fault in view.faults:
        yield f"fault: {fault}"
    for host in view.hosts:
        if host.is_dead:
            yield dead_host(host, shown(host.heartbeat_at))
    for job in view.jobs:
        paused = ", paused" if job.paused or job.paused_in_file else ""
        for failure in job.failures:
            sentence = failure_sentence(failure)
            yield f"{job.clock}/{job.job}{paused}: since {shown(failure.since)} {sentence} (run {failure.run_id[:8]})"


def _cut(lines: Iterable[str], room: int) -> Iterator[str]:
    """As many lines as Nagios reads, and how many there are besides."""
    left = list(map(_plain, lines))
    for number, line in enumerate(left):
        more = f"and {counted(len(left) - number, 'line')} more: see 'clocks status --bad'"
        room -= len(line.encode()) + 1
        if room < len(more) + 1 and number < len(left) - 1:
            yield more
            return
        yield line


def _first_line(state: State, text: str) -> str:
    return f"CLOCKS {state.name} - {_plain(text)}"


def _plain(text: str) -> str:
    """A text in one line, without the bar that begins performance data."""
    line = " ".join(text.split()).replace("|", "/")
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"
