"""`clocks explain`, `clocks next` and `clocks lint`: what a schedule means, and when its jobs run.

In come words of the command line, and the jobs of the clock files; out comes text or, with --json, one JSON value.
Thin: every answer is the schedule room's.
"""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, NoReturn

import click

from scheduled_tasks.errors import ConfigurationError, UsageError
from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.options import seconds_of
from scheduled_tasks.project import enabled_clocks
from scheduled_tasks.run import settings
from scheduled_tasks.schedule import Trigger, describe, occurrences, read_trigger, translate
from scheduled_tasks.schedule.crontab import crontab_fields
from scheduled_tasks.schedule.evaluator import Occurrence, is_moved
from scheduled_tasks.schedule.lint import schedule_warnings

NEXT_RUNS = 5
INTERVAL_NUMBERS = ("weeks", "days", "hours", "minutes", "seconds")


class ScheduledJob(NamedTuple):
    """A job as these commands need it."""

    clock: str
    job: str
    trigger: Trigger
    timeout: float | None

    @property
    def name(self) -> str:
        """As a person names it, `CLOCK/JOB`."""
        return f"{self.clock}/{self.job}"


def load_jobs() -> list[ScheduledJob]:
    """All jobs of all clocks, but for those that are paused."""
    return [
        ScheduledJob(clock.name, job.id, job.trigger, seconds_of(job.options.over(clock.options).timeout))
        for clock in enabled_clocks(lines=False)
        for job in clock.jobs
        if not job.paused
    ]


def rfc3339(at: datetime) -> str:
    """An instant as RFC 3339 in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _now() -> datetime:
    return datetime.now(UTC)


def instant(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: ISO 8601; what has no offset is in UTC."""
    if value is None:
        return None
    if value == "now":
        return _now()
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no instant; write 2027-03-28T00:00Z or 2027-03-28") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@click.command()
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--timezone", metavar="ZONE", default=None, help="The zone; else the configured one.")
@click.option("--interval", is_flag=True, help="The fields are an interval trigger's: minutes=5 start_date=…")
@click.option("--date", "once", is_flag=True, help="The field is a date trigger's: run_date=…")
@click.option("--crontab", metavar="LINE", help='Five crontab fields, as cron reads them: "11 7 * * 4" is a Thursday.')
@click.option("--from", "start", callback=instant, metavar="T", default="now", help="As seen at this instant.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(*, start: datetime, as_json: bool, timezone: str | None, **words: Any) -> None:
    """What systemd is told for FIELD=VALUE…, and the next runs.

    For example: clocks explain --timezone Europe/Paris hour=2 minute=30
    """
    try:
        answer = _explained(_given(**words), timezone, start)
    except FaultsError as error:
        _refuse(error, as_json=as_json)
    if as_json:
        click.echo(json.dumps({key: value for key, value in answer.items() if key != "runs"}))
        return
    _print_explanation(answer)


def _given(
    *, fields: tuple[str, ...], crontab: str | None, interval: bool, once: bool
) -> tuple[str, dict[str, object]]:
    if (crontab is not None) + interval + once > 1 or (crontab is not None and fields):
        raise UsageError("one of FIELD=VALUE…, --crontab, --interval and --date")
    if crontab is not None:
        return "cron", dict(crontab_fields(crontab))
    given: dict[str, object] = {}
    faults = []
    for word in fields:
        name, equals, value = word.partition("=")
        if not equals or not name:
            faults.append(Fault("not FIELD=VALUE", "write e.g. hour=6", "argument", repr(word)))
        elif interval and name in INTERVAL_NUMBERS and value.isdigit():
            given[name] = int(value)
        else:
            given[name] = int(value) if name == "jitter" and value.isdigit() else value
    if faults:
        raise FaultsError(faults)
    return ("interval" if interval else "date" if once else "cron"), given


def _explained(given: tuple[str, dict[str, object]], timezone: str | None, start: datetime) -> dict[str, Any]:
    timezone = timezone or _configured_timezone()
    trigger = read_trigger(*given, timezone=timezone or "UTC")
    timing = translate(trigger, now=start)
    warnings = list(timing.warnings)
    if not timezone and "timezone" not in given[1]:
        warnings.insert(0, "no zone is given: read in UTC; write --timezone Europe/Paris or whichever is meant")
    runs = list(islice(occurrences(trigger, after=start), NEXT_RUNS))
    return {
        "words": describe(trigger),
        "on_calendar": list(timing.on_calendar),
        "exec_condition": [list(each) for each in timing.exec_condition],
        "next": [rfc3339(each.at) for each in runs],
        "warnings": warnings,
        "exact_until": timing.exact_until and rfc3339(timing.exact_until),
        "runs": runs,
    }


def _configured_timezone() -> str:
    """The zone of clocks that name none; `explain` answers without a project too."""
    try:
        return settings.load().get("timezone")
    except ConfigurationError:
        return ""


def _print_explanation(answer: dict[str, Any]) -> None:
    click.echo(f"{answer['words'][:1].upper()}{answer['words'][1:]}.")
    for each in answer["on_calendar"]:
        click.echo(f"OnCalendar={each}")
    for each in answer["exec_condition"]:
        click.echo(f"ExecCondition={' '.join(each[:-1])} '{each[-1]}'")
    click.echo(f"exact until  {answer['exact_until'] or 'for ever'}")
    for each in answer["runs"]:
        click.echo(f"next  {_both_times(each)}")
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)


def _both_times(each: Occurrence) -> str:
    moved = f"  (for {each.nominal:%H:%M:%S}, which the clock skips)" if is_moved(each) else ""
    local = each.at.astimezone(each.nominal.tzinfo)
    return f"{local:%a %Y-%m-%d %H:%M:%S %z}  {rfc3339(each.at)}{moved}"


def _refuse(error: FaultsError, *, as_json: bool) -> NoReturn:
    """Exit 65, naming field, value and what to write."""
    if as_json:
        said = [
            {"field": each.field, "value": each.value, "problem": each.problem, "instead": each.instead}
            for each in error.faults
        ]
        click.echo(json.dumps({"error": {**said[0], "message": str(error)}, "errors": said}))
    else:
        for fault in error.faults:
            click.echo(f"error: {fault}", err=True)
    sys.exit(error.exit_code)


def merged(
    jobs: Iterable[ScheduledJob], start: datetime, until: datetime | None
) -> Iterator[tuple[Occurrence, ScheduledJob]]:
    """The runs of many jobs in the order of their instants, made as they are taken."""

    def runs(job: ScheduledJob) -> Iterator[tuple[datetime, str, Occurrence, ScheduledJob]]:
        for each in occurrences(job.trigger, after=start, until=until):
            yield each.at, job.name, each, job

    for _, _, occurrence, job in heapq.merge(*map(runs, jobs), key=lambda each: each[:2]):
        yield occurrence, job


def _chosen(jobs: list[ScheduledJob], which: str | None) -> list[ScheduledJob]:
    if which is None:
        return jobs
    found = [each for each in jobs if which in {each.clock, each.name}]
    if not found:
        names = sorted({each.clock for each in jobs} | {each.name for each in jobs})
        known = ", ".join(names[:20]) or "none"
        raise UsageError(f"no clock or job {which!r}; known: {known}")
    return found


@click.command(name="next")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]")
@click.option("--from", "start", callback=instant, metavar="T", default="now", help="Runs after this instant.")
@click.option("--until", callback=instant, metavar="T", help="Runs up to and with this instant.")
@click.option("--count", type=click.IntRange(min=1), help="So many runs; 20 where there is no --until.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def next_runs(*, which: str | None, start: datetime, until: datetime | None, count: int | None, as_json: bool) -> None:
    """The next runs of all clocks, one clock or one job, in their order."""
    jobs = _chosen(load_jobs(), which)
    limit = count or (None if until else 20)
    found = list(islice(merged(jobs, start, until), limit))
    if as_json:
        rows = [
            {
                "clock": job.clock, "job": job.job, "at": rfc3339(each.at), "nominal": each.nominal.isoformat(),
                "timezone": job.trigger.zone, "moved": is_moved(each),
            }
            for each, job in found
        ]  # fmt: skip
        click.echo(json.dumps(rows))
        return
    for each, job in found:
        click.echo(f"{_both_times(each)}  {job.name}")


@click.command()
@click.option("--from", "start", callback=instant, metavar="T", default="now", help="As seen at this instant.")
@click.option("--days", type=click.IntRange(min=1), default=366, help="Look so many days ahead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def lint(*, start: datetime, days: int, as_json: bool) -> None:
    """What will surprise somebody: moved runs, crowds, overlaps, readings that are seldom meant."""
    jobs = [(each.name, each.trigger, each.timeout) for each in load_jobs()]
    found = schedule_warnings(jobs, now=start, days=days)
    if as_json:
        rows = [
            {
                "kind": each.kind, "jobs": list(each.jobs), "message": each.message,
                "at": [rfc3339(at) for at in each.at], "instead": each.instead,
            }
            for each in found
        ]  # fmt: skip
        click.echo(json.dumps(rows))
        return
    for each in found:
        names = ", ".join(each.jobs[:4]) + (f" and {len(each.jobs) - 4} more" if len(each.jobs) > 4 else "")  # noqa: PLR2004 - what fits a line
        click.echo(f"{each.kind:8} {names}: {each.message}" + (f"; {each.instead}" if each.instead else ""))


COMMANDS: tuple[click.Command, ...] = (explain, next_runs, lint)
