"""Clock and Job: the contents of a clock file.

A clock file's `scheduler = Clock(…)` and its `add_job` calls are written as for APScheduler. `Clock` only records the
calls, with file and line; `clock_file` checks all of a file at once and makes `Job` values of it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import tzinfo

    from scheduled_tasks.schedule import Timing, Trigger


class _Unset:
    """The default of arguments for which None has a meaning of its own."""

    def __repr__(self) -> str:
        return "left out"


UNSET = _Unset()


class ApplicationPlaceholder:
    """The value of `app` in a clock file; the application itself is made only when a task runs."""

    def __repr__(self) -> str:
        return "app"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # inspect, copy and others look for these
            raise AttributeError(name)
        raise ConfigurationError(
            f"app.{name} is used while a clock file is read, but the application is made only when a task runs: pass "
            "the task and its arguments separately, add_job(task, 'cron', [app], …)"
        )


app: Any = ApplicationPlaceholder()


@dataclass(frozen=True)
class JobCall:
    """One `add_job` call as written, not checked yet."""

    function: object
    trigger: object
    args: object
    kwargs: object
    id: str | None
    name: str | None
    options: Mapping[str, object]
    trigger_fields: Mapping[str, object]
    file: str
    line: int


@dataclass(frozen=True)
class Job:
    """One job of a clock: a task, its arguments, its schedule and its options.

    Attributes:
        clock, id: together unique on a host; its units are `clock-<clock>-<id>`.
        task: `DOMAIN.TASK`, the argument of run-task.
        description: one line for people.
        args, kwargs: JSON values, in which {"@": "app"} is the application. None means run-task's default.
        trigger: the schedule; timing: the schedule as OnCalendar lines.
        paused: whether it has no timer (`next_run_time=None`).
        catch_up: whether a run that was due while the machine was off starts when it is back.
        grace: how many seconds late such a run can start; None means any number.
        options: the job's own, without those inherited from its clock.
        file, line: where its `add_job` call is.
        flag: the feature flag of its task; "" if it has none.
    """

    clock: str
    id: str
    task: str
    description: str
    args: list[Any] | None
    kwargs: dict[str, Any]
    trigger: Trigger
    timing: Timing
    paused: bool
    catch_up: bool
    grace: int | None
    options: Options
    file: str
    line: int
    flag: str = ""


@dataclass(frozen=True)
class ClockSpec:
    """A clock as read from its file; the jobs are in the order of the file."""

    name: str
    description: str
    options: Options
    jobs: tuple[Job, ...]
    file: str


class Clock:
    """Jobs that share limits and an execution context; they become one systemd slice.

    A clock file has one, named `scheduler`. Its options apply to every job of the clock; a job can override them in
    `add_job`.

    Args:
        timezone: the zone of its jobs' times, for example "Europe/Paris" or a ZoneInfo; by default the configured one.
        description: one line for people; by default the first line of the clock file's docstring.
        **options: see docs/reference/clock-files.md, for example `timeout="30min"`, `memory_max="512M"`.
    """

    def __init__(self, *, timezone: str | tzinfo = "", description: str = "", **options: object) -> None:
        self.timezone, self.description, self.options = timezone, description, options
        self.file, self.line = _caller()
        self.calls: list[JobCall] = []

    def add_job(  # noqa: PLR0913, PLR0917 - APScheduler's signature
        self,
        func: Callable[..., Any],
        trigger: object = None,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - APScheduler's name
        name: str | None = None,
        misfire_grace_time: int | _Unset | None = UNSET,
        coalesce: bool | _Unset = UNSET,  # noqa: FBT001 - as in APScheduler
        max_instances: int | _Unset = UNSET,
        next_run_time: object = UNSET,
        jobstore: object = UNSET,
        executor: object = UNSET,
        replace_existing: object = UNSET,
        **fields: object,
    ) -> None:
        """Add a job, like APScheduler's method of the same name.

        Args:
            func: the task, passed and not called.
            trigger: 'cron', 'interval' or 'date'; the trigger's fields follow as keywords.
            args: positional arguments; `app` represents the application.
            kwargs: keyword arguments.
            id: unique in the clock, [a-z0-9_]+; by default the function's name.
            name: one line for people; by default the first line of the task's docstring.
            misfire_grace_time: how many seconds late a run that was missed while the machine was off can start; None:
                any number; below 60: it is not caught up.
            coalesce: only True, since a timer catches up missed runs once.
            max_instances: only 1, since a service never runs twice at once.
            next_run_time: only None: the job is paused and has no timer.
            jobstore: not supported, there is no scheduler process.
            executor: as jobstore.
            replace_existing: as jobstore.
            **fields: the trigger's fields (`day='*', hour='6'`), and options (`timeout='10min'`).
        """
        options = {
            "misfire_grace_time": misfire_grace_time,
            "coalesce": coalesce,
            "max_instances": max_instances,
            "next_run_time": next_run_time,
            "jobstore": jobstore,
            "executor": executor,
            "replace_existing": replace_existing,
        }
        given = {key: value for key, value in options.items() if value is not UNSET}
        self.calls.append(JobCall(func, trigger, args, kwargs, id, name, given, fields, *_caller()))


def _caller() -> tuple[str, int]:
    frame = sys._getframe(2)  # noqa: SLF001 - the cheapest way to the caller's line; warnings does the same
    return frame.f_code.co_filename, frame.f_lineno
