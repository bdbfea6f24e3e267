"""clocks explain, next, lint: what a schedule means, when jobs run, and which surprises to expect."""

from __future__ import annotations

import heapq
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn

import click

from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import clock_and_job, instant, json_option, require_known, start_option
from scheduled_tasks.cli.output import refusal
from scheduled_tasks.cli.screens.local_times import LocalTimes, current_time, utc_option
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal, show, width
from scheduled_tasks.cli.screens.tables import show_table, wrapped
from scheduled_tasks.errors import UsageError
from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.instants import iso8601, rfc3339
from scheduled_tasks.options import seconds_of
from scheduled_tasks.project import enabled_clocks, value_if_configured
from scheduled_tasks.schedule import Trigger, describe, occurrences, read_trigger, translate
from scheduled_tasks.schedule.crontab import crontab_time
from scheduled_tasks.schedule.evaluator import Occurrence, is_moved
from scheduled_tasks.schedule.lint import schedule_warnings
from scheduled_tasks.schedule.parser import CRON_FIELDS
from scheduled_tasks.schedule.trigger_lint import stands_for

NEXT_RUNS = 5
NAMES_SHOWN = 4  # of a warning's jobs: more would not fit a line
NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
SURELY_HAS_LINES = timedelta(days=9 * 365)  # less than the horizon of a translation
INTERVAL_NUMBERS = ("weeks", "days", "hours", "minutes", "seconds")


class ScheduledJob(NamedTuple):
    """The parts of a job that these commands need."""

    clock: str
    job: str
    trigger: Trigger
    timeout: float | None

    @property
    def name(self) -> str:
        """`CLOCK/JOB`."""
        return f"{self.clock}/{self.job}"


def load_jobs(which: str | None = None) -> list[ScheduledJob]:
    """All jobs of all clocks, or of what `CLOCK[/JOB]` names, except paused ones.

    Raises:
        UsageError: there is no such clock or job.
    """
    wanted = clock_and_job(which) if which else ("", "")
    jobs = [(clock, job) for clock in enabled_clocks(lines=False) for job in clock.jobs]
    require_known([(clock.name, job.id) for clock, job in jobs], *wanted, nobody="no file defines")
    return [
        ScheduledJob(clock.name, job.id, job.trigger, seconds_of(job.options.over(clock.options).timeout))
        for clock, job in jobs
        if not job.paused and wanted[0] in {"", clock.name} and wanted[1] in {"", job.id}
    ]


@click.command()
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--timezone", metavar="ZONE", default=None, help="The zone; default: the configured one.")
@click.option("--interval", is_flag=True, help="An interval trigger: minutes=5 start_date=…")
@click.option("--date", "once", is_flag=True, help="A date trigger: run_date=…")
@click.option("--crontab", metavar="LINE", help='Five crontab fields, as cron reads them: "11 7 * * 4" is a Thursday.')
@start_option
@utc_option
@json_option
def explain(*, start: datetime, as_json: bool, timezone: str | None, **words: Any) -> None:
    """Explain a schedule: its systemd lines and next runs.

    For example: clocks explain --timezone Europe/Paris hour=2 minute=30
    """
    notes: list[str] = []
    try:
        answer = _explained(_given(**words, notes=notes), timezone, start)
    except FaultsError as error:
        _fail(error, as_json=as_json)
    answer["warnings"] += notes
    if as_json:
        click.echo(json.dumps({key: value for key, value in answer.items() if key not in {"runs", "trigger"}}))
        return
    _print_explanation(answer)


def _given(
    *, fields: tuple[str, ...], crontab: str | None, interval: bool, once: bool, notes: list[str]
) -> tuple[str, dict[str, object]]:
    """The trigger's kind and fields; adds notes on a crontab line."""
    if (crontab is not None) + interval + once > 1 or (crontab is not None and fields):
        raise UsageError("give only one of FIELD=VALUE…, --crontab, --interval and --date")
    if crontab is not None:
        time = crontab_time(crontab)
        notes += time.notes
        return "cron", dict(time.fields)
    given: dict[str, object] = {}
    faults = []
    for word in fields:
        name, equals, value = word.partition("=")
        if not equals or not name:
            faults.append(Fault("not FIELD=VALUE", "write e.g. hour=6", "argument", repr(word)))
        elif name in given:
            both = f"write {name}='{given[name]},{value}' for both" if name in CRON_FIELDS else "leave one out"
            faults.append(Fault(f"is given twice, first as {given[name]!r}", both, name, repr(value)))
        elif name == "jitter" or (interval and name in INTERVAL_NUMBERS):
            given[name] = _number(value)
        else:
            given[name] = value
    if faults:
        raise FaultsError(faults)
    return ("interval" if interval else "date" if once else "cron"), given


def _number(value: str) -> int | float | str:
    """A number as a clock file has it; any other text as it is, which the parser refuses."""
    if not NUMBER.fullmatch(value):
        return value
    return float(value) if "." in value else int(value)


def _explained(given: tuple[str, dict[str, object]], timezone: str | None, start: datetime) -> dict[str, Any]:
    timezone = timezone or value_if_configured("timezone")
    trigger = read_trigger(*given, timezone=timezone or "UTC")
    timing = translate(trigger, now=start)
    warnings = [*timing.warnings, *_surprises(trigger, start)]
    if not timezone and "timezone" not in given[1]:
        warnings.insert(0, "no time zone given, UTC is assumed; write for example --timezone Europe/Paris")
    runs = list(islice(occurrences(trigger, after=start), NEXT_RUNS))
    return {
        "words": describe(trigger),
        "on_calendar": list(timing.on_calendar),
        "elapses_every": timing.elapses_every,
        "next": [rfc3339(run.at) for run in runs],
        "warnings": warnings,
        "exact_until": timing.exact_until and rfc3339(timing.exact_until),
        "runs": runs,
        "trigger": trigger,
    }


def _surprises(trigger: Trigger, start: datetime) -> Iterator[str]:
    """What lint would say of the trigger, except for its reading, which the timing's warnings have."""
    for warning in schedule_warnings([("", trigger, None)], now=start):
        if warning.kind != "reading":
            yield f"{warning.message}; {warning.instead}" if warning.instead else warning.message


def _print_explanation(answer: dict[str, Any]) -> None:
    trigger = answer["trigger"]
    times = LocalTimes.of_command(zones={trigger.zone})
    click.echo(f"{answer['words'][:1].upper()}{answer['words'][1:]}.")
    for line in answer["on_calendar"]:
        click.echo(f"OnCalendar={line}")
    if answer["elapses_every"]:
        click.echo(f"elapses every {answer['elapses_every']} s; in between run-task does nothing")
    click.echo(f"exact until  {answer['exact_until'] or 'forever'}")
    for run in answer["runs"]:
        click.echo(f"next  {times.exact(run.at)}{f'  ({moved})' if (moved := _moved(run, trigger)) else ''}")
    for warning in answer["warnings"]:
        sentence = f"warning: {warning}"
        for line in wrapped(sentence, width(), "") if on_terminal(err=True) else [sentence]:
            show(line, err=True)


def _moved(run: Occurrence, trigger: Trigger) -> str:
    skipped = [f"for {run.nominal:%H:%M:%S}"] if is_moved(run) else []
    skipped += [f"also for {nominal:%H:%M:%S}" for nominal in stands_for(trigger, run)]
    return f"{', '.join(skipped)}, which the clock skips" if skipped else ""


def _fail(error: FaultsError, *, as_json: bool) -> NoReturn:
    """Show each fault with its field, its value and what to write; exit 65."""
    if as_json:
        click.echo(json.dumps(refusal(error)))
    else:
        for fault in error.faults:
            click.echo(f"error: {fault}", err=True)
    sys.exit(error.exit_code)


def merged(
    jobs: Iterable[ScheduledJob], start: datetime, until: datetime | None
) -> Iterator[tuple[Occurrence, ScheduledJob]]:
    """The runs of many jobs in order of their instants, computed lazily."""

    def runs(job: ScheduledJob) -> Iterator[tuple[datetime, str, Occurrence, ScheduledJob]]:
        for run in occurrences(job.trigger, after=start, until=until):
            yield run.at, job.name, run, job

    for _, _, occurrence, job in heapq.merge(*map(runs, jobs), key=itemgetter(0, 1)):
        yield occurrence, job


@click.command(name="next")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]", shell_complete=completion.clocks_and_jobs)
@click.option("--from", "start", callback=instant, metavar="T", default="now", help="Runs after this instant.")
@click.option("--until", callback=instant, metavar="T", help="Runs until this instant, inclusive.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of runs, of all jobs together.")
@utc_option
@json_option
def next_runs(*, which: str | None, start: datetime, until: datetime | None, limit: int | None, as_json: bool) -> None:
    """Show each job's next run, or the next five of one job.

    With --until or --limit all runs are shown, in their order.
    """
    jobs = load_jobs(which)
    if until or limit:
        runs = list(islice(merged(jobs, start, until), limit))
    else:
        each = NEXT_RUNS if len(jobs) == 1 else 1
        firsts = ((run, job) for job in jobs for run in islice(occurrences(job.trigger, after=start), each))
        runs = sorted(firsts, key=lambda first: (first[0].at, first[1].name))
    if as_json:
        rows = [
            {
                "clock": job.clock, "job": job.job, "at": rfc3339(run.at), "nominal": iso8601(run.nominal),
                "timezone": job.trigger.zone, "moved": is_moved(run),
                "has_line": _has_line(run, job),
                "also_for": [iso8601(nominal) for nominal in stands_for(job.trigger, run)],
            }
            for run, job in runs
        ]  # fmt: skip
        click.echo(json.dumps(rows))
        return
    _show_runs(runs, jobs if not (until or limit) else ())


def _show_runs(runs: Sequence[tuple[Occurrence, ScheduledJob]], jobs: Iterable[ScheduledJob]) -> None:
    """Show runs, and which of `jobs` have none."""
    times = LocalTimes.of_command(zones={job.trigger.zone for _, job in runs})
    write = times.both if on_terminal() else times.exact
    rows = [(job.name, write(run.at), _note(run, job, times)) for run, job in runs]
    due = {job.name for _, job in runs}
    rows += [(job.name, "never", "its last run is over") for job in jobs if job.name not in due]
    show_table(("JOB", f"NEXT ({times.zone_name})", "NOTE" if any(note for *_, note in rows) else ""), rows, text=True)


def _note(run: Occurrence, job: ScheduledJob, times: LocalTimes) -> str:
    """What the instant alone does not say: that it was moved, or the time in the job's own zone."""
    own = f"{run.nominal:%H:%M} {job.trigger.zone}" if times.zone_name not in {job.trigger.zone, "UTC"} else ""
    later = "" if _has_line(run, job) else "no timer has it yet: each deploy extends the lines"
    return "; ".join(filter(None, (_moved(run, job.trigger), own, later)))


def _has_line(run: Occurrence, job: ScheduledJob) -> bool:
    """Whether a timer that is rendered today elapses for a run; only years away it may not."""
    now = current_time()
    if run.at < now + SURELY_HAS_LINES:
        return True
    until = translate(job.trigger, now=now).exact_until
    return until is None or run.at < until


@click.command()
@start_option
@click.option("--days", type=click.IntRange(min=1), default=366, help="How many days to look ahead.")
@utc_option
@json_option
def lint(*, start: datetime, days: int, as_json: bool) -> None:
    """Warn about surprises in schedules.

    Moved runs, many runs at one instant, overlaps, and fields that are often misread.
    """
    jobs = [(job.name, job.trigger, job.timeout) for job in load_jobs()]
    warnings = schedule_warnings(jobs, now=start, days=days, processors=os.cpu_count() or 1)
    if as_json:
        rows = [asdict(warning) | {"at": [rfc3339(at) for at in warning.at]} for warning in warnings]
        click.echo(json.dumps(rows))
        return
    for warning in warnings:
        more = f" and {len(warning.jobs) - NAMES_SHOWN} more" if len(warning.jobs) > NAMES_SHOWN else ""
        instead = f"; {warning.instead}" if warning.instead else ""
        sentence = f"{', '.join(warning.jobs[:NAMES_SHOWN])}{more}: {warning.message}{instead}"
        first, *rest = wrapped(sentence, width() - 9, "") if on_terminal() else [sentence]
        show(Styled(f"{warning.kind:8}", Style.WARNING), " ", first)
        for line in rest:
            show(" " * 9, line)


COMMANDS: tuple[click.Command, ...] = (explain, next_runs, lint)
