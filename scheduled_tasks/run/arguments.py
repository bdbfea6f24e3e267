"""run-task's command line, and the arguments of the task's call.

A job's unit passes its `args` and `kwargs` as JSON, in which {"@": "app"} stands for the application (`app` in a clock
file); that is made only when a task runs.
"""

from __future__ import annotations

import getopt
import inspect
import json
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

OPTIONS = [
    "help", "clock=", "job=", "args=", "kwargs=", "schedule=", "elapses-every=", "grace=", "timeout=", "per-host",
    "overlap=", "on-database-error=", "at=", "force", "readable",
]  # fmt: skip
APP = {"@": "app"}
SCHEDULED_AT = {"@": "scheduled_at"}
CHOICES = {"--overlap": ("skip", "queue"), "--on-database-error": ("fail", "run")}
NAME = re.compile(r"[a-z0-9_]+")  # of a clock and of a job

USAGE = """\
Usage: run-task DOMAIN.TASK [--args JSON-LIST] [--kwargs JSON-OBJECT]
                [--clock CLOCK --job JOB] [--schedule JSON-OBJECT]
                [--elapses-every SECONDS] [--grace SECONDS]
                [--timeout SECONDS] [--per-host] [--overlap skip|queue]
                [--on-database-error fail|run]
                [--at INSTANT] [--force] [--readable]

Runs one task once: checks its feature flag, makes the application's context,
runs it, records the run.

Without --args the task gets the application, if it takes one; in the JSON,
{"@": "app"} stands for it. --schedule is the job's trigger: a run that its
timer starts finds its nominal time and claims that slot, so that it runs once
on all hosts (--per-host: once on each). If the timer --elapses-every so many
seconds, more often than the schedule, the run ends at once unless a slot is
due. It is skipped if it starts more than --grace seconds late. --at names the nominal time; --force runs it even if it
has run or the job is paused. The claim expires after --timeout. --overlap
applies while another run of the job goes on. --on-database-error run: run even
if PostgreSQL is unreachable.

Standard output carries JSON log lines, one per line; --readable writes them
for people instead. Exit codes: 0 ended or skipped, 1 the task raised,
64 unknown task or wrong usage, 75 PostgreSQL unreachable, 78 configuration,
128+N stopped by signal N.

Example: run-task booking.cancel_expired_bookings --readable
"""


class BindError(UsageError):
    """The arguments don't fit the task."""


class CommandLine(NamedTuple):
    """A parsed command line; None means not given.

    `schedule` is the job's trigger; `elapses_every` how often its timer elapses, in seconds, if that is more often;
    `grace` how many seconds late a timer's run may start; `timeout` how many seconds a run may take; `at` the nominal
    time that was requested; `readable` whether log lines are for people.
    """

    task: str
    clock: str = ""
    job: str = ""
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    elapses_every: float | None = None
    grace: float | None = None
    timeout: float | None = None
    per_host: bool = False
    overlap: str = ""
    on_database_error: str = "fail"
    at: str = ""
    force: bool = False
    readable: bool = False


class Call(NamedTuple):
    """The call of a task; the application in its arguments is made when it is called."""

    args: list[Any]
    kwargs: dict[str, Any]
    make_app: Callable[[], object]
    scheduled_at: Callable[[], object] = lambda: None

    def __call__(
        self, task: Callable[..., Any], around: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> object:
        """Call the task in a context, which is entered once the application is made."""
        args = [self._fill_in(value) for value in self.args]
        kwargs = {key: self._fill_in(value) for key, value in self.kwargs.items()}
        with around():
            return task(*args, **kwargs)

    def _fill_in(self, value: Any) -> Any:
        if value == SCHEDULED_AT:
            return self.scheduled_at()
        return self.make_app() if value == APP else value


def parse(argv: list[str]) -> CommandLine | None:
    """Parse the command line; None if it asks for help.

    Raises:
        UsageError: it has a fault.
    """
    try:
        options, names = getopt.gnu_getopt(argv, "h", OPTIONS)
    except getopt.GetoptError as error:
        raise UsageError(str(error)) from error
    given = dict(options)
    if "-h" in given or "--help" in given:
        return None
    if len(names) != 1:
        raise UsageError(f"expected one task, DOMAIN.TASK, got {' '.join(names) or 'none'}")
    for option in ("--clock", "--job"):
        if not NAME.fullmatch(given.get(option, "") or "_"):
            raise UsageError(f"{option} {given[option]}: a name consists of a-z, 0-9 and _")
    for option, choices in CHOICES.items():
        if given.get(option, choices[0]) not in choices:
            raise UsageError(f"{option} {given[option]}: expected {' or '.join(choices)}")
    return CommandLine(
        names[0],
        given.get("--clock", ""),
        given.get("--job", ""),
        _json(given, "--args", list),
        _json(given, "--kwargs", dict),
        _json(given, "--schedule", dict),
        _seconds(given, "--elapses-every"),
        _seconds(given, "--grace"),
        _seconds(given, "--timeout"),
        "--per-host" in given,
        given.get("--overlap", ""),
        given.get("--on-database-error", "fail"),
        given.get("--at", ""),
        "--force" in given,
        "--readable" in given,
    )


def _json(given: dict[str, str], option: str, kind: type) -> Any:
    if option not in given:
        return None
    try:
        value = json.loads(given[option])
    except ValueError as error:
        raise UsageError(f"{option} {given[option]}: not JSON: {error}") from error
    if not isinstance(value, kind):
        raise UsageError(f"{option} {given[option]}: expected a JSON {'list' if kind is list else 'object'}")
    return value


def _seconds(given: dict[str, str], option: str) -> float | None:
    try:
        return float(given[option]) if option in given else None
    except ValueError as error:
        raise UsageError(f"{option} {given[option]}: expected a number of seconds") from error


def takes_app(task: Callable[..., Any]) -> bool:
    """Whether the task's first argument is the application: it has a context, or its first parameter is `app`."""
    has_context = "cron_context" in getattr(task, "__cron__", ())
    return has_context or next(iter(inspect.signature(task).parameters), "") == "app"


def with_scheduled_at(signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call; `scheduled_at` is added if the task has that parameter and the call doesn't give it.

    Raises:
        TypeError: the arguments don't fit.
    """
    parameter = signature.parameters.get("scheduled_at")
    if parameter is None or parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        return dict(kwargs)
    given = signature.bind_partial(*args, **kwargs).arguments
    return dict(kwargs) if "scheduled_at" in given else {**kwargs, "scheduled_at": SCHEDULED_AT}


def bind(
    task: Callable[..., Any],
    command_line: CommandLine,
    make_app: Callable[[], object],
    scheduled_at: Callable[[], object] = lambda: None,
) -> Call:
    """The call that the command line requests; `scheduled_at` returns the value of a task's parameter of that name.

    Raises:
        BindError: the arguments don't fit the task's signature.
    """
    args, kwargs = command_line.args, command_line.kwargs or {}
    if args is None:
        args = [APP] if takes_app(task) and "app" not in kwargs else []
    signature = inspect.signature(task)
    try:
        kwargs = with_scheduled_at(signature, args, kwargs)
        signature.bind(*args, **kwargs)
    except TypeError as error:
        hint = "give them with --args '[…]' or --kwargs '{…}'"
        raise BindError(f"{command_line.task}{signature}: {error}; {hint}") from error
    return Call(args, kwargs, make_app, scheduled_at)
