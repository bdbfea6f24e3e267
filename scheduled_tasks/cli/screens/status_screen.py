"""The screen of `clocks status`: first what is wrong, with its reason and the command that shows more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.cli.screens.local_times import LocalTimes
from scheduled_tasks.cli.screens.run_screens import ID_LENGTH
from scheduled_tasks.cli.screens.styles import Line, Part, Style, Styled
from scheduled_tasks.cli.screens.tables import shortened, table_lines, wrapped
from scheduled_tasks.quantities import counted
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.operate.status import Failure, HostStatus, JobStatus

COLUMNS = ("JOB", "STATE", "LAST", "NEXT", "WHY")
STYLES = {"bad": Style.BAD, "ok": Style.GOOD, "running": Style.GOOD}  # by the first word of a state


def status_lines(  # noqa: PLR0913 - what it shows
    jobs: Sequence[JobStatus],
    numbers: Sequence[str],
    *,
    alerts: Sequence[str],
    pauses: Sequence[Pause],
    times: LocalTimes,
    columns: int,
) -> Iterator[Line]:
    """The lines of the screen.

    Args:
        jobs: what to show.
        numbers: of `totals`.
        alerts: what is wrong besides the jobs: faults, dead hosts.
        pauses: the pauses of these jobs; one of a single job is shown with it, others once.
        times: how instants are written.
        columns: the width of the terminal.
    """
    for alert in alerts:
        yield from ([Styled(line, Style.BAD)] for line in wrapped(alert, columns, ""))
    before, bad, after = numbers
    style = Style.BAD if any(job.is_bad for job in jobs) else Style.GOOD
    yield [before, Styled(bad, style), after, Styled(f"   {times.now_sentence()}", Style.QUIET)]
    if jobs:
        yield []
        ordered = sorted(jobs, key=lambda job: not job.is_bad)
        rows = ([*_cells(job, times), "\n".join(_notes(job, times, columns))] for job in ordered)
        yield from table_lines(COLUMNS, rows, columns_of_terminal=columns, text=True)
    with_jobs = {pause for job in jobs for pause in job.paused if pause.scope.job}
    if others := [pause for pause in pauses if pause not in with_jobs]:
        yield []
        for pause in others:
            sentence = f"paused: {pause.scope}, {pause_sentence(pause, times)}"
            yield from ([line] for line in wrapped(sentence, columns, ""))


def totals(jobs: Sequence[JobStatus], *, bad_only: bool) -> tuple[str, str, str]:
    """How many jobs are bad, and, of all jobs, how many there are, run and are paused: three parts of a sentence."""
    bad = f"{sum(job.is_bad for job in jobs)} bad"
    if bad_only:
        return "", bad, ""
    running = sum(job.running_since is not None for job in jobs)
    paused = sum(bool(job.paused) or job.paused_in_file for job in jobs)
    return f"{counted(len(jobs), 'job')}: ", bad, f", {running} running, {paused} paused"


def _cells(job: JobStatus, times: LocalTimes) -> list[Part]:
    following = times.both(None if is_blocked(job) else job.next_run)
    style = STYLES.get(job.state.partition(",")[0], Style.WARNING)
    return [f"{job.clock}/{job.job}", Styled(job.state, style), times.both(job.last_at), following]


def _notes(job: JobStatus, times: LocalTimes, columns: int) -> Iterator[str]:
    for failure in job.failures:
        yield shortened(failure_sentence(failure, times), columns)
        yield f"clocks show {failure.run_id[:ID_LENGTH]}"
    yield from state_notes(job)
    for pause in job.paused:
        if pause.scope.job:
            on = f" on {pause.scope.host}" if pause.scope.host else ""
            yield f"paused{on} {pause_sentence(pause, times)}"


def is_blocked(job: JobStatus) -> bool:
    """Whether a pause keeps a job from running on every host that has it."""
    hosts = {pause.scope.host for pause in job.paused}
    return job.paused_in_file or None in hosts or hosts >= set(job.hosts)


def failure_sentence(failure: Failure, times: LocalTimes | None = None) -> str:
    """Why a job is bad: failed on app1, 5 bad in a row since 02:00, 4 h ago: HTTPError: …."""
    where = f" on {failure.host}" if failure.host else ""
    more = " or more" if failure.streak_has_more else ""
    times_bad = f", {failure.streak}{more} bad in a row" if failure.streak > 1 else ""
    since = f" since {times.both(failure.since)}" if times_bad and times else ""
    reason = failure.reason.partition("\n")[0]
    return f"{failure.status}{where}{times_bad}{since}{': ' if reason else ''}{reason}"


def state_notes(job: JobStatus) -> Iterator[str]:
    """What explains the state of a job besides its failures and pauses."""
    if job.last == RunStatus.SKIPPED and not job.paused:
        yield f"skipped: {job.reason}".partition("\n")[0]
    if job.by_hand:
        yield f"last run by hand: {job.last}"
    if job.paused_in_file:
        yield "paused in its clock file"


def dead_host(host: HostStatus, heartbeat: str) -> str:
    """The sentence about a host whose watch is silent; `heartbeat` is when it was last heard."""
    return f"no heartbeat from {host.host} since {heartbeat}; it has {counted(host.jobs, 'job')}"


def pause_sentence(pause: Pause, times: LocalTimes) -> str:
    """By whom a pause is, since and until when, and why."""
    until = f" until {times.brief(pause.until)}" if pause.until else ""
    reason = pause.reason.partition("\n")[0]
    return f"by {pause.by} since {times.brief(pause.at)}{until}: {reason}"
