"""Clock and Job: what a clock file says.

What comes in: a clock file's `scheduler = Clock(…)` and its `add_job` calls, written as for APScheduler. Nothing is
refused here: calls are kept with their file and line, and `clock_file` judges all of a file at once. What goes out:
`Job` values.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scheduled_tasks.schedule import Timing, Trigger


class _Unset:
    """Tells an argument that was not given from one that was given as None."""

    def __repr__(self) -> str:
        return "left out"


UNSET = _Unset()


class ApplicationPlaceholder:
    """What `app` is in a clock file: it stands for the application, which is only made when a task runs."""

    def __repr__(self) -> str:
        return "app"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # inspect, copy and the like may look: there is nothing
            raise AttributeError(name)
        raise ConfigurationError(
            f"app.{name} is used while a clock file is read, but the application is only made when a task runs: pass "
            "the task and its arguments separately, add_job(task, 'cron', [app], …)"
        )


app: Any = ApplicationPlaceholder()


@dataclass(frozen=True)
class JobCall:
    """One `add_job` call as it was written, not judged yet."""

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
    """One job of a clock: which task, with what, when, with which options.

    Attributes:
        clock, id: its name, unique on a host; `clock-<clock>-<id>` are its units.
        task: `DOMAIN.TASK`, as run-task takes it.
        description: one line for people.
        args, kwargs: JSON-able; the application in them is {"@": "app"}. None: run-task's default holds.
        trigger: the rule; timing: the rule as OnCalendar lines.
        paused: whether it has no timer (`next_run_time=None`).
        catch_up: whether a run that fell due while the machine was off starts when it is back.
        grace: how many seconds late such a run may start; None where it always may.
        options: the job's own, without what it inherits from its clock.
        file, line: where it is written.
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


@dataclass(frozen=True)
class ClockSpec:
    """A clock as it was read: its name, its options, its jobs in the order of the file."""

    name: str
    description: str
    options: Options
    jobs: tuple[Job, ...]
    file: str


class Clock:
    """The jobs that share a space and an execution context; they become one systemd slice.

    A clock file has one, named `scheduler`. Options given here hold for each job of the clock, unless
    the job gives its own in `add_job`.

    Args:
        timezone: the zone of its jobs' times, for example "Europe/Paris"; else the configured one.
        description: one line for people; else the first line of the clock file's docstring.
        **options: see docs/reference/clock-files.md, for example `timeout="30min"`, `memory_max="512M"`.
    """

    def __init__(self, *, timezone: str = "", description: str = "", **options: object) -> None:
        self.timezone, self.description, self.options = timezone, description, options
        self.file, self.line = _caller()
        self.calls: list[JobCall] = []

    def add_job(  # noqa: PLR0913, PLR0917 - APScheduler's own signature, which clock files are written for
        self,
        func: Callable[..., Any],
        trigger: object = None,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - its name there
        name: str | None = None,
        misfire_grace_time: int | _Unset | None = UNSET,
        coalesce: bool | _Unset = UNSET,  # noqa: FBT001 - as APScheduler's
        max_instances: int | _Unset = UNSET,
        next_run_time: object = UNSET,
        jobstore: object = UNSET,
        executor: object = UNSET,
        replace_existing: object = UNSET,
        **fields: object,
    ) -> None:
        """Adds a job, as APScheduler's method of the same name does.

        Args:
            func: the task, passed and not called.
            trigger: 'cron', 'interval' or 'date'; the trigger's fields follow as keywords.
            args: its positional arguments; `app` stands for the application.
            kwargs: its keyword arguments.
            id: unique in the clock, [a-z0-9_]+; the function's name where it is left out.
            name: a line for people; else the first line of the task's docstring.
            misfire_grace_time: seconds that a run missed while the machine was off may be late; None: whenever the
                machine is back; below 60: it is not caught up.
            coalesce: True is the only way a timer knows: what was missed is caught up once.
            max_instances: 1 is systemd's nature.
            next_run_time: None: the job is paused, it has a service and no timer.
            jobstore: has no meaning without a scheduler process.
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
        file, line = _caller()
        given = {key: value for key, value in options.items() if value is not UNSET}
        self.calls.append(JobCall(func, trigger, args, kwargs, id, name, given, fields, file, line))


def _caller() -> tuple[str, int]:
    frame = sys._getframe(2)  # noqa: SLF001 - the way to a caller's line that costs nothing; warnings does the same
    return frame.f_code.co_filename, frame.f_lineno
