"""Turn one `add_job` call into a job, or report every fault of the call at once.

A `JobCall` goes in. A `Job` comes out, or a `FaultsError` whose faults name field, value and what to write instead;
`clock_file` adds file, line and clock.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduled_tasks import schedule
from scheduled_tasks.clock import Job, JobCall
from scheduled_tasks.clock_arguments import read_arguments
from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.options import (
    OPTIONS,
    RETRY_DELAY,
    Options,
    read_options,
    seconds_of,
    shown_value,
    why_unwritable,
)
from scheduled_tasks.options.alert_faults import NO_NAMES, NotifyNames, faults_of_durations, faults_of_names
from scheduled_tasks.run.arguments import NAME
from scheduled_tasks.run.find_task import BUNDLED, is_task
from scheduled_tasks.schedule.zone import why_no_zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

# A grace below this many seconds means no catch-up, as with APScheduler's default of one second. An active timer fires
# in time; checking the lateness of its run by the second would skip runs on a busy machine.
MIN_CATCH_UP_GRACE = 60

# Characters. With names of 80 or more, systemd would ignore the condition of a pause (clock-services.conf.j2): it has
# the clock twice in a part of a path, which has at most 255. So has the name of a unit; the longest is the hook's,
# clock-failed@clock-CLOCK-JOB.service.
MAX_NAME, MAX_DESCRIPTION, MAX_TASK = 75, 1000, 255

# The keywords of APScheduler's add_job that a job can have, for a misspelt one.
_APSCHEDULER = ("args", "kwargs", "id", "name", "misfire_grace_time", "coalesce", "max_instances", "next_run_time")
# Arguments that only a scheduler process can use, with what to do instead.
_UNSUPPORTED = {
    "jobstore": "leave it out: without a scheduler process there is no job store",
    "executor": "leave it out: each run is a process of its own",
    "replace_existing": "leave it out: jobs exist only in the clock file",
}


@dataclass(frozen=True)
class ReadingContext:
    """What reading a clock file needs from the project and the caller.

    Attributes:
        domains: the package of the domains; a task from elsewhere is a fault.
        timezone: the zone of clocks that name none.
        now: the start of the horizon for exact times.
        make_app: makes the application, for domains that can't be imported without it.
        lines: whether to compute OnCalendar lines; not needed to know when jobs run.
        has_application: whether `app` of the configuration names one; a clock can't pass what isn't there.
        notify: the names that `notify` and `ping` can have.
    """

    domains: str
    timezone: str
    now: datetime
    make_app: Callable[[], object] = lambda: None
    lines: bool = True
    has_application: bool = True
    notify: NotifyNames = NO_NAMES


def read_job(call: JobCall, clock: str, context: ReadingContext, timezone: str | tzinfo, inherited: Options) -> Job:
    """Check one call of a clock with this time zone, whose options `inherited` apply to each job.

    Raises:
        FaultsError: every fault of the call.
    """
    faults: list[Fault] = []
    task = _task_name(call.function, context.domains, faults)
    args, kwargs = read_arguments(call, faults, has_application=context.has_application) if task else (None, {})
    grace, paused = _apscheduler_options(call, faults)
    given = {name: value for name, value in call.trigger_fields.items() if name in OPTIONS}
    options, option_faults = read_options(given)
    effective = options.over(inherited)
    faults += [*option_faults, *_faults_of_retries(call.function, effective), *faults_of_durations(effective)]
    faults += faults_of_names(options, context.notify)
    fields = {name: value for name, value in call.trigger_fields.items() if name not in OPTIONS}
    trigger = None
    try:  # an unknown zone is a fault of the clock; with UTC the job's other faults are found too
        zone = "UTC" if why_no_zone(timezone) else timezone
        trigger = schedule.read_trigger(call.trigger, fields, timezone=zone, others=(*_APSCHEDULER, *OPTIONS))
    except FaultsError as error:
        faults += error.faults
    identity = job_name(call)
    if problem := why_no_name(identity):
        instead = f"write an id with a-z, 0-9 and _ only, at most {MAX_NAME}"
        faults.append(Fault(problem, instead, "id", shown_value(identity)))
    documented = (getattr(call.function, "__doc__", None) or task).strip().partition("\n")[0].rstrip(".")
    if problem := why_no_description(description := call.name or documented):
        faults.append(Fault(problem, "write name='a line for people'", "name", shown_value(description)))
    if faults or trigger is None:
        raise FaultsError(faults)
    timing = schedule.translate(trigger, now=context.now) if context.lines else schedule.Timing(())
    catch_up = grace is None or grace >= MIN_CATCH_UP_GRACE
    return Job(
        clock=clock,
        id=identity,
        task=task,
        description=description.strip(),
        args=args,
        kwargs=kwargs,
        trigger=trigger,
        timing=timing,
        paused=paused,
        catch_up=catch_up,
        grace=grace if catch_up else None,
        options=options,
        file=call.file,
        line=call.line,
        flag=str(getattr(getattr(call.function, "__cron_feature__", None), "name", "")),
    )


def why_no_name(name: str) -> str:
    """Why a clock or a job can't have this name; "" if it can."""
    if not NAME.fullmatch(name):
        return "can't name units"
    return f"is longer than {MAX_NAME} characters" if len(name) > MAX_NAME else ""


def why_no_description(text: object) -> str:
    """Why a unit can't have this description; "" if it can."""
    if not isinstance(text, str):
        return "is not text"
    if len(text) > MAX_DESCRIPTION:
        return f"is longer than {MAX_DESCRIPTION} characters"
    reason = why_unwritable(text)
    return f"has {reason}" if reason else ""


def job_name(call: JobCall) -> str:
    """The id of a job: the given one, otherwise the function's name."""
    return str(call.id if call.id is not None else getattr(call.function, "__name__", "?"))


def _task_name(function: object, domains: str, faults: list[Fault]) -> str:
    """`DOMAIN.TASK` of a function, or "" and a fault."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not callable(function) or not module:
        instead = "pass the task's function itself, without ()"
        faults.append(Fault("is not a task", instead, "func", repr(function)[:80]))
        return ""
    inside = BUNDLED if str(module).startswith(f"{BUNDLED}.") else domains
    domain = str(module).removeprefix(f"{inside}.")
    if domain == module or not is_task(function, sys.modules[module], name):
        instead = f"move it to a module of {domains} and import it from there"
        faults.append(Fault("is not in a domain", instead, "func", f"{module}.{name}"))
        return ""
    if len(task := f"{domain}.{name}") > MAX_TASK:
        faults.append(Fault(f"is longer than {MAX_TASK} characters", "shorten its name", "func", shown_value(task)))
    return task


def _faults_of_retries(task: object, options: Options) -> list[Fault]:
    """Faults of the retry options, inherited ones included."""
    faults = []
    if (retries := options.text("retries", "0")) != "0" and not getattr(task, "__cron_idempotent__", False):
        problem = "the task isn't declared idempotent, so a retry could repeat what a failed run has already done"
        instead = "put @cron_idempotent on the task if it can run again after any failure; otherwise write retries=0"
        faults.append(Fault(problem, instead, "retries", retries))
    longest, delay = options.text("retry_delay_max"), options.text("retry_delay", RETRY_DELAY)
    if longest and seconds_of(longest) <= seconds_of(delay):
        problem = f"is not longer than retry_delay, {delay}, which grows to it"
        faults.append(Fault(problem, "write a longer time, or leave it out", "retry_delay_max", repr(longest)))
    return faults


def _apscheduler_options(call: JobCall, faults: list[Fault]) -> tuple[int | None, bool]:
    """Check APScheduler's options of a job; return the seconds of grace (None: any number) and whether it is paused."""
    given = dict(call.options)
    faults += [
        Fault("is not supported", instead, name, repr(given[name]))
        for name, instead in _UNSUPPORTED.items()
        if name in given
    ]
    if given.get("coalesce", True) is not True:
        instead = "leave it out: runs missed while the machine was off are caught up once"
        faults.append(Fault("is not what a timer does", instead, "coalesce", repr(given["coalesce"])))
    if given.get("max_instances", 1) != 1:
        instead = "leave it out: a service never runs twice at once; two jobs with different ids can"
        faults.append(Fault("is not what a service does", instead, "max_instances", repr(given["max_instances"])))
    if given.get("next_run_time") is not None:
        instead = "leave it out, or write None for a paused job; start_date sets when its runs begin"
        faults.append(Fault("is not possible in a clock file", instead, "next_run_time", repr(given["next_run_time"])))
    grace = given.get("misfire_grace_time")
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int) or grace < 1):
        instead = "write whole seconds, or None: a missed run is always caught up"
        faults.append(Fault("is not a number of seconds", instead, "misfire_grace_time", repr(grace)))
        grace = None
    return grace, "next_run_time" in given
