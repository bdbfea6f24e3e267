"""clocks explain, next, lint: what a schedule means, when jobs run, and which surprises to expect."""

from __future__ import annotations

import heapq
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn

import click

from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import clock_and_job, instant, json_option, require_known, start_option
from scheduled_tasks.cli.output import refusal
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.errors import UsageError
from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.instants import iso8601, rfc3339, shown_locally
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
    """A number as a clock file has it; the text itself if it is none, which the parser refuses."""
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
        "exec_condition": [list(words) for words in timing.exec_condition],
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
    click.echo(f"{answer['words'][:1].upper()}{answer['words'][1:]}.")
    for line in answer["on_calendar"]:
        click.echo(f"OnCalendar={line}")
    for *command, script in answer["exec_condition"]:
        click.echo(f"ExecCondition={' '.join(command)} '{script}'")
    click.echo(f"exact until  {answer['exact_until'] or 'forever'}")
    for run in answer["runs"]:
        click.echo(f"next  {_both_times(run, answer['trigger'])}")
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)


def _both_times(run: Occurrence, trigger: Trigger) -> str:
    skipped = [f"for {run.nominal:%H:%M:%S}"] if is_moved(run) else []
    skipped += [f"also for {nominal:%H:%M:%S}" for nominal in stands_for(trigger, run)]
    moved = f"  ({', '.join(skipped)}, which the clock skips)" if skipped else ""
    return f"{shown_locally(run.at, run.nominal.tzinfo)}  {rfc3339(run.at)}{moved}"


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
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of runs; default: 20 without --until.")
@utc_option
@json_option
def next_runs(*, which: str | None, start: datetime, until: datetime | None, limit: int | None, as_json: bool) -> None:
    """Show the next runs of all clocks, one clock or one job."""
    runs = list(islice(merged(load_jobs(which), start, until), limit or (None if until else 20)))
    if as_json:
        rows = [
            {
                "clock": job.clock, "job": job.job, "at": rfc3339(run.at), "nominal": iso8601(run.nominal),
                "timezone": job.trigger.zone, "moved": is_moved(run),
                "also_for": [iso8601(nominal) for nominal in stands_for(job.trigger, run)],
            }
            for run, job in runs
        ]  # fmt: skip
        click.echo(json.dumps(rows))
        return
    for run, job in runs:
        click.echo(f"{_both_times(run, job.trigger)}  {job.name}")


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
    warnings = schedule_warnings(jobs, now=start, days=days)
    if as_json:
        rows = [asdict(warning) | {"at": [rfc3339(at) for at in warning.at]} for warning in warnings]
        click.echo(json.dumps(rows))
        return
    for warning in warnings:
        more = f" and {len(warning.jobs) - NAMES_SHOWN} more" if len(warning.jobs) > NAMES_SHOWN else ""
        instead = f"; {warning.instead}" if warning.instead else ""
        click.echo(f"{warning.kind:8} {', '.join(warning.jobs[:NAMES_SHOWN])}{more}: {warning.message}{instead}")


COMMANDS: tuple[click.Command, ...] = (explain, next_runs, lint)
