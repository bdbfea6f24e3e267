"""Time a scrape of a large ledger, and what a result costs, each beside its other side.

    python -m benchmarks.metrics [MILLIONS] [JOBS] [FOLDER]

The ledger is that of `benchmarks.questions`, which fills it. Times are milliseconds of CPU time, of the server's
process and of this one; the least of three. The other side of a scrape is `clocks status` of all jobs, which a scrape
would cost without an exporter of its own; that of the text is prometheus-client's, of the same samples.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from psycopg.conninfo import make_conninfo

from benchmarks.questions import open_ledger, timed
from scheduled_tasks.metrics import exposition, samples
from scheduled_tasks.metrics.exporter import Exporter
from scheduled_tasks.metrics.families import Kind
from scheduled_tasks.metrics.reading import one_state, read
from scheduled_tasks.metrics.samples import Some
from scheduled_tasks.operate import migrations, status
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.run import database, record
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from scheduled_tasks.metrics.exposition import Samples

Database = psycopg.Connection[Any]
_COUNTED = "SELECT count(*), (SELECT count(DISTINCT clock) FROM deployed_job) FROM clock_total"
IMPORTS = {
    "python -c pass": "pass",
    "import scheduled_tasks.metrics.exposition": "import scheduled_tasks.metrics.exposition",
    "import prometheus_client": "import prometheus_client",
}


def main(millions: float, jobs: int, folder: Path | None) -> None:
    """Print what a scrape costs, at first and when nothing has changed, and how large it is."""
    with open_ledger(millions, jobs, folder) as connection:
        migrations.migrate(connection, [migrations.OWN])
        timed(connection, "the watch counts slots at first, one pass", lambda: count_slots(connection), times=1)
        [(counted, of)] = connection.execute(_COUNTED).fetchall()
        print(f"{counted} of {of} clocks are counted")
        connection.execute("VACUUM ANALYZE")
        now = datetime.now(UTC)
        timed(connection, "clocks status of all jobs", lambda: status.jobs(connection, now))
        exporter = Exporter(Some.ALL)
        text = ""

        def first() -> None:
            nonlocal text
            exporter.forget()
            text = exporter.text(connection)

        timed(connection, "a scrape that reads all", first)
        timed(connection, "a scrape when nothing has changed", lambda: exporter.text(connection))
        few = Exporter(Some.BAD)
        timed(connection, '… of which metrics_jobs = "bad" shows few', lambda: few.text(connection), times=1)
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        started = time.process_time()
        packed = len(gzip.compress(text.encode(), 1))
        print(f"{len(lines)} series, {len(text) / 1e6:.1f} MB, {packed / 1e3:.0f} kB compressed", end="")
        print(f" in {(time.process_time() - started) * 1000:.0f} ms; bad: {len(few.text(connection)) / 1e3:.0f} kB")
        with one_state(connection):
            found = samples.of_jobs(read(connection, now), Some.ALL)
        _own("the text of all samples", lambda: exposition.text(found))
        _own("the same by prometheus-client", lambda: generate_latest(_registry(found)))
        _drain(connection, jobs)
        _results(connection)
    for what, code in IMPORTS.items():
        taken = min(_cpu([sys.executable, "-c", code]) for _ in range(6))  # the first ones compile
        print(f"{what:44} {taken * 1000:8.0f} ms")


def _drain(connection: Database, jobs: int) -> None:
    """One run of each job ended in the last minute."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    with connection.transaction(force_rollback=True):
        connection.execute(
            "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status,"
            " started_at, ended_at, duration) SELECT gen_random_uuid(), 'shop.count', 'c' || job %% 100, 'j' || job,"
            " %(at)s, '', 'app1', 'timer', 'ended', %(at)s, %(at)s, 2"
            " FROM generate_series(1, %(jobs)s::integer) AS job",
            {"at": at, "jobs": jobs},
        )
        timed(connection, f"the watch counts {jobs} results", lambda: count_slots(connection), times=1)


def _results(connection: Database) -> None:
    """What the server takes for a run's two statements on a new connection, with the change noted and without."""
    connection.execute("DROP DATABASE IF EXISTS results")
    connection.execute("CREATE DATABASE results")
    url = make_conninfo(connection.info.dsn, dbname="results")
    os.environ["DATABASE_URL"] = url
    taken: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    with psycopg.connect(url, autocommit=True) as owner:
        migrations.migrate(owner, [migrations.OWN])
        for number in range(400):
            state = ("ENABLE", "DISABLE")[number % 2]
            for trigger in ("note_slot_change", "note_slot_change_of_row"):
                owner.execute(f"ALTER TABLE task_run {state} TRIGGER {trigger}".encode())
            taken[state].append(_record_run(datetime.now(UTC) + timedelta(seconds=number)))
    connection.execute("DROP DATABASE results WITH (FORCE)")
    noted, not_noted = (median(seconds) * 1000 for seconds in taken.values())
    print(f"{'a run records itself, results noted':44} {noted:8.2f} ms in the database")
    print(f"{'the same, not noted':44} {not_noted:8.2f} ms in the database")


def _record_run(at: datetime) -> float:
    """Record a run that ends well on a connection of its own; return the CPU seconds of the server's process."""
    run = Run("shop.work", "work", clock="shop", job="work")
    run.slot_host, run.scheduled_at = "", at
    record.open_run(run, record.ClaimTerms(timeout=60, overlap="skip"), "1")
    record.close_run(run, record.Result(run.run_id, 1, RunStatus.ENDED, 0, 0.25))
    [(pid,)] = database.execute("SELECT pg_backend_pid()", {})
    seconds = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    database.close()
    return seconds


class _Collector:
    """The samples as prometheus-client takes them."""

    def __init__(self, found: Samples) -> None:
        self.found = found

    def collect(self) -> Iterable[Metric]:
        """All families."""
        for family, values in self.found.items():
            if family.kind is Kind.HISTOGRAM:
                metric: Metric = HistogramMetricFamily(family.name, family.help)
            else:
                kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
                metric = kind(family.name, family.help)
            for sample in values:
                labels = dict(zip(family.labels, sample.labels, strict=True)) | ({"le": sample.le} if sample.le else {})
                value = sample.value.timestamp() if isinstance(sample.value, datetime) else float(sample.value)
                metric.add_sample(family.name + sample.suffix, labels, value)
            yield metric


def _registry(found: Samples) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Collector(found))
    return registry


def _own(what: str, act: Callable[[], object]) -> None:
    taken = []
    for _ in range(3):
        started = time.process_time()
        act()
        taken.append(time.process_time() - started)
    print(f"{what:44} {min(taken) * 1000:8.1f} ms in Python")


def _cpu(command: list[str]) -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    main(float(given.get(0, 10)), int(given.get(1, 10_000)), Path(given[2]) if 2 in given else None)  # noqa: PLR2004 - three arguments
