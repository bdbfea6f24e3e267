"""pytest fixtures for a project's own tests of its tasks and clocks.

In the project's conftest.py: `pytest_plugins = ["scheduled_tasks.testing"]`; the extra `testing` must be installed. The
fixtures provide a real PostgreSQL, a function that runs a task as run-task does and returns its log lines, and the
times at which jobs fire. docs/how-to/test.md has examples.
"""

from __future__ import annotations

import json
import logging
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import iso8601, parse
from scheduled_tasks.operate import embedded, migrations
from scheduled_tasks.operate.feature_flags import set_active, synchronize
from scheduled_tasks.project import all_clocks
from scheduled_tasks.run import arguments, context, current, database, ending, log, main, settings
from scheduled_tasks.schedule import occurrences
from scheduled_tasks.schedule.zone import zone_info

__all__ = ["Flags", "JobTimes", "TaskResult", "flags", "job_times", "log_lines", "run_task", "tasks_database"]  # noqa: F822 - `flags` is the fixture `_flags`

TEMPLATE = "template_of_the_tests"
_numbers = count(1)


@dataclass(frozen=True)
class TaskResult:
    """The result of running a task.

    Attributes:
        status: `ended`, `failed` or `skipped`, as in its end line.
        result: what the task returned.
        error: the exception that it raised, or None.
        lines: every log line of the run, as journald would get them.
    """

    status: str
    result: object
    error: BaseException | None
    lines: list[dict[str, Any]]

    def messages(self, level: str = "info") -> list[str]:
        """The messages that the task itself logged at a level."""
        return [line["message"] for line in self.lines if line["level"] == level and "status" not in line]


@pytest.fixture(scope="session")
def _tasks_server() -> Iterator[Callable[[str], str]]:
    """Start a PostgreSQL for the session, with a migrated template database; returns URLs by database name."""
    get_server = embedded.import_pgserver()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # the path of a socket must be short
    folder.chmod(0o755)  # if root runs the tests, the server runs as another user
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        configuration = settings.load()
        configuration.make_importable()
        extra = configuration.get("migrations")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        with psycopg.connect(server.get_uri(database=TEMPLATE), autocommit=True) as connection:
            migrations.migrate(connection, [migrations.OWN, *([extra] if extra else [])])
        yield lambda name: str(server.get_uri(database=name))
    finally:
        server.cleanup()
        shutil.rmtree(folder)


@pytest.fixture
def tasks_database(_tasks_server: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database for this test: migrated, with the project's flags at their defaults.

    `DATABASE_URL` names it while the test runs.
    """
    name = f"test_{next(_numbers)}"
    identifiers = sql.Identifier(name), sql.Identifier(TEMPLATE)
    with psycopg.connect(_tasks_server("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*identifiers))
        url = _tasks_server(name)
        monkeypatch.setenv("DATABASE_URL", url)
        if declared := settings.load().get("features"):
            with psycopg.connect(url, autocommit=True) as own:
                synchronize(own, context.load_object(declared, "features"), actor="tests")
        yield url
        database.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifiers[0]))


class Flags:
    """The feature flags of the test's database; switch them as an operator does."""

    def __init__(self, url: str) -> None:
        self._url = url

    def enable(self, *names: Any) -> None:
        """Switch flags on, by name or by member of the enum."""
        self._set(names, active=True)

    def disable(self, *names: Any) -> None:
        """Switch flags off."""
        self._set(names, active=False)

    def _set(self, names: Sequence[Any], *, active: bool) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name in names:
                set_active(connection, getattr(name, "name", name), active=active, actor="tests")


@pytest.fixture(name="flags")
def _flags(tasks_database: str) -> Flags:
    """The project's feature flags: `flags.enable("NAME")`, `flags.disable("NAME")`."""
    return Flags(tasks_database)


class _Capture(logging.Handler):
    """Collects log records as the lines that run-task would write, parsed from JSON."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(log.LineFormatter(host="testhost"))
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@contextmanager
def _captured() -> Iterator[list[dict[str, Any]]]:
    handler, root = _Capture(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(before or logging.INFO, logging.INFO))
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """The log lines of the test, as described in docs/reference/log-lines.md: a list that grows."""
    with _captured() as lines:
        yield lines


@pytest.fixture
def run_task(tasks_database: str) -> Callable[..., TaskResult]:
    """Run a task in the test's process as run-task does: `run_task(task, *args, at=None, clock="", job="", **kwargs)`.

    The flag is read from the test's database, the run is recorded there, its lines are captured. `at` is its nominal
    time, `scheduled_at` in its lines and its row; the current time does not change.
    """
    del tasks_database  # the fixture must be set up

    def call(
        task: Callable[..., Any], *args: Any, at: datetime | None = None, clock: str = "", job: str = "", **kwargs: Any
    ) -> TaskResult:
        name = task.__name__
        domain = task.__module__.removeprefix(f"{settings.load().get('domains')}.")
        run = current.Run(f"{domain}.{name}", name, clock=clock, job=job)
        if at is not None:
            if at.tzinfo is None:
                raise UsageError(f"at={at!r} has no zone: write e.g. datetime(2027, 3, 28, 1, 30, tzinfo=UTC)")
            run.scheduled_at = at.astimezone(UTC)
        with _captured() as lines:
            before, current.current = current.current, run
            try:
                result, error = _run_like_run_task(run, task, args, kwargs)
            finally:
                current.current = before
        status = [line["status"] for line in lines if "status" in line][-1]
        return TaskResult(status, result, error, lines)

    return call


def _run_like_run_task(
    run: current.Run, task: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[object, BaseException | None]:
    """Run the task with run-task's own code, then restore the signal handlers."""
    result: object = None
    error: BaseException | None = None

    def call(task_function: Callable[..., Any], around: Callable[[], AbstractContextManager[object]]) -> None:
        nonlocal result, error
        try:
            with around():
                result = task_function(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise

    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        with pytest.MonkeyPatch.context() as patch:
            # The threads and exit handlers of this process are the test session's, which goes on.
            patch.setattr(ending, "finish_task", lambda _run: None)
            main._run(run, task, cast("arguments.Call", call), arguments.CommandLine(run.task))  # noqa: SLF001 - the one implementation of a run
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    return result, error


class JobTimes:
    """When the jobs of the project's clocks fire."""

    def __init__(self, clocks: Sequence[ClockSpec]) -> None:
        self._jobs = {f"{clock.name}/{job.id}": job for clock in clocks for job in clock.jobs}

    @property
    def jobs(self) -> list[str]:
        """The names of all jobs, CLOCK/JOB."""
        return sorted(self._jobs)

    def of(self, job: str, *, start: str, until: str) -> list[str]:
        """The instants at which a job fires, after `start` and up to and including `until`.

        Args:
            job: CLOCK/JOB.
            start: ISO 8601; without an offset, in the job's zone.
            until: the same.

        Returns:
            ISO 8601 in the job's zone, with its offset: "2027-03-28T03:30:00+02:00".

        Raises:
            UsageError: no such job.
        """
        if job not in self._jobs:
            raise UsageError(f"no job {job!r}; there are {', '.join(self.jobs)}")
        spec = self._jobs[job]
        if spec.paused:
            return []
        zone = zone_info(spec.trigger.zone)
        after, until_at = parse(start, zone=zone), parse(until, zone=zone)
        return [iso8601(run.at.astimezone(zone)) for run in occurrences(spec.trigger, after=after, until=until_at)]


@pytest.fixture(scope="session")
def job_times() -> JobTimes:
    """When jobs fire: `job_times.of("orders/expire", start="2027-03-27", until="2027-03-29")`."""
    return JobTimes(all_clocks(lines=False))
