"""run-task's command line, and the arguments of the task's call.

A job's `args` and `kwargs` come from its unit as JSON. The application, which is only made when a task
runs, is written there as {"@": "app"}; the same form is what a clock file's `app` is rendered to.
"""

from __future__ import annotations

import getopt
import inspect
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OPTIONS = [
    "help", "clock=", "job=", "args=", "kwargs=", "schedule=", "grace=", "timeout=", "per-host", "overlap=",
    "on-database-error=", "at=", "force",
]  # fmt: skip
APP = {"@": "app"}
SCHEDULED_AT = {"@": "scheduled_at"}
CHOICES = {"--overlap": ("skip", "queue"), "--on-database-error": ("fail", "run")}
NAME = re.compile(r"[a-z0-9_]+")  # of a clock and of a job

USAGE = """\
Usage: run-task DOMAIN.TASK [--args JSON-LIST] [--kwargs JSON-OBJECT] [--clock CLOCK --job JOB]
                [--schedule JSON-OBJECT] [--grace SECONDS] [--timeout SECONDS] [--per-host]
                [--overlap skip|queue] [--on-database-error fail|run] [--at INSTANT] [--force]

Runs one task once: checks its feature flag, makes the application's context, runs it, records the run.
Without --args the task gets the application, if it takes one. {"@": "app"} stands for it in the JSON.
With --schedule, the job's trigger, a run that its timer starts knows the time it is for, and claims it: one run of it
on all hosts (--per-host: on each). Later than --grace after it, it is skipped. --at names that time, --force runs it
though it has run or the job is paused. --timeout: when the claim is over. --overlap: what becomes of it while another
run of the job goes on. --on-database-error run: it runs although PostgreSQL is away.
Standard output carries JSON log lines, one a line. Exit codes: 0 ended or skipped, 1 the task raised,
64 unknown task or wrong usage, 75 PostgreSQL not reachable, 78 configuration, 128+N stopped by signal N.
"""


class BindError(UsageError):
    """The arguments don't fit the task."""


class Asked(NamedTuple):
    """What the command line asks for; what it doesn't say is None.

    `schedule` is the job's trigger, `grace` how many seconds after its nominal time a timer's run may start,
    `timeout` how many a run may take; `at` is the nominal time that somebody names.
    """

    task: str
    clock: str = ""
    job: str = ""
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    grace: float | None = None
    timeout: float | None = None
    per_host: bool = False
    overlap: str = ""
    on_database_error: str = "fail"
    at: str = ""
    force: bool = False


class Call(NamedTuple):
    """The call of a task; the application in it is made when it happens."""

    args: list[Any]
    kwargs: dict[str, Any]
    make_app: Callable[[], object]
    when: Callable[[], object] = lambda: None

    def __call__(self, task: Callable[..., Any]) -> object:
        """Calls the task."""
        args = [self._put_in_app(value) for value in self.args]
        kwargs = {key: self._put_in_app(value) for key, value in self.kwargs.items()}
        return task(*args, **kwargs)

    def _put_in_app(self, value: Any) -> Any:
        if value == SCHEDULED_AT:
            return self.when()
        return self.make_app() if value == APP else value


def parse(argv: list[str]) -> Asked | None:
    """Reads the command line; None where it asks for help.

    Raises:
        UsageError: it can't be understood.
    """
    try:
        options, names = getopt.gnu_getopt(argv, "h", OPTIONS)
    except getopt.GetoptError as error:
        raise UsageError(str(error)) from error
    given = dict(options)
    if "-h" in given or "--help" in given:
        return None
    if len(names) != 1:
        raise UsageError(f"wants one task, DOMAIN.TASK, got {' '.join(names) or 'none'}")
    for option in ("--clock", "--job"):
        if not NAME.fullmatch(given.get(option, "") or "_"):
            raise UsageError(f"{option} {given[option]}: a name has a-z, 0-9 and _ only")
    for option, choices in CHOICES.items():
        if given.get(option, choices[0]) not in choices:
            raise UsageError(f"{option} {given[option]}: wants {' or '.join(choices)}")
    return Asked(
        names[0],
        given.get("--clock", ""),
        given.get("--job", ""),
        _json(given, "--args", list),
        _json(given, "--kwargs", dict),
        _json(given, "--schedule", dict),
        _seconds(given, "--grace"),
        _seconds(given, "--timeout"),
        "--per-host" in given,
        given.get("--overlap", ""),
        given.get("--on-database-error", "fail"),
        given.get("--at", ""),
        "--force" in given,
    )


def _json(given: dict[str, str], option: str, kind: type) -> Any:
    if option not in given:
        return None
    try:
        value = json.loads(given[option])
    except ValueError as error:
        raise UsageError(f"{option} {given[option]}: is not JSON: {error}") from error
    if not isinstance(value, kind):
        raise UsageError(f"{option} {given[option]}: wants a JSON {'list' if kind is list else 'object'}")
    return value


def _seconds(given: dict[str, str], option: str) -> float | None:
    try:
        return float(given[option]) if option in given else None
    except ValueError as error:
        raise UsageError(f"{option} {given[option]}: wants a number of seconds") from error


def takes_app(task: Callable[..., Any]) -> bool:
    """Whether the task wants the application first: it has a context, or its first parameter is named `app`."""
    if "cron_context" in getattr(task, "__cron__", ()):
        return True
    return next(iter(inspect.signature(task).parameters), "") == "app"


def with_time(signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call, with the time that the run works for where the task has a parameter for it, and no value.

    Raises:
        TypeError: the arguments don't fit.
    """
    found = signature.parameters.get("scheduled_at")
    if found is None or found.kind not in {found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY}:
        return dict(kwargs)
    given = signature.bind_partial(*args, **kwargs).arguments
    return dict(kwargs) if "scheduled_at" in given else {**kwargs, "scheduled_at": SCHEDULED_AT}


def bind(
    task: Callable[..., Any],
    asked: Asked,
    make_app: Callable[[], object],
    when: Callable[[], object] = lambda: None,
) -> Call:
    """The call that was asked for; `when` is asked for the time that the run works for, where the task wants it.

    Raises:
        BindError: the arguments don't fit the task's signature.
    """
    kwargs = asked.kwargs or {}
    args = asked.args
    if args is None:
        args = [APP] if takes_app(task) and "app" not in kwargs else []
    signature = inspect.signature(task)
    try:
        kwargs = with_time(signature, args, kwargs)
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise BindError(f"{asked.task}{signature}: {error}; give them with --args '[…]' or --kwargs '{{…}}'") from error
    return Call(args, kwargs, make_app, when)
