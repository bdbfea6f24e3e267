"""Measure what the ledger adds to a run, and how many runs per minute it can record.

A run of a slot alternates with the same run that only reads its flag (A B A B …), so that other load on the machine
affects both alike. Then ten processes act as hosts and claim the same 1,000 slots as fast as they can. start.py
measures a whole run, questions.py the operators' queries.

    python benchmarks/ledger.py [PAIRS]
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from benchmarks.start import FILES, ROOT, SLOT

HOSTS, SLOTS = 10, 1_000
WITH = "from scheduled_tasks.run import main, record; main.entry()"
# The flag is read on the same connection, with its own statement, as would be necessary without a ledger.
WITHOUT = """
from scheduled_tasks.run import main, record
record.open_run = lambda run, *_: record.ClaimResult(1, record.read_flag(run.feature), False, "", "")
record.close_run = lambda *_: record.database.close() or True
main.entry()
"""


def pairs(folder: Path, rounds: int) -> None:
    """Run a slot with and without the ledger alternately, and print the times."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SCHEDULED_TASKS_CONFIG": str(folder / "pyproject.toml"),
        "TRIGGER_UNIT": "clock-tiny-nothing.timer",
    }
    taken: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    for number in range(rounds + 1):
        for code, seconds in taken.items():
            began = time.perf_counter()
            command = [sys.executable, "-P", "-c", code, "idle.nothing", *SLOT]
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
            if number:  # the first round compiles the imported modules
                seconds.append(time.perf_counter() - began)
    ratios = [one / other for one, other in zip(taken[WITH], taken[WITHOUT], strict=True)]
    print(f"a run {median(taken[WITH]) * 1e3:.0f} ms, without the ledger {median(taken[WITHOUT]) * 1e3:.0f} ms; "
          f"{rounds} pairs, median ratio {median(ratios):.3f}")  # fmt: skip


def host(name: str) -> tuple[list[float], list[float], list[float]]:
    """Claim all slots as one host: seconds of the claims that it won, of those that it lost, and of the ends."""
    from scheduled_tasks.run import database, record, statements
    from scheduled_tasks.run.current import Run
    from scheduled_tasks.run.status import RunStatus

    won: list[float] = []
    lost: list[float] = []
    ends: list[float] = []
    for number in range(SLOTS):
        run = Run("shop.work", "work", clock="bench", job="work")
        run.host, run.slot_host, run.trigger = name, "", "timer"
        run.scheduled_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        began = time.perf_counter()
        claim = record.open_run(run, record.ClaimTerms(timeout=60), "")
        (lost if claim.attempt is None else won).append(time.perf_counter() - began)
        if claim.attempt is not None:
            began = time.perf_counter()
            result = record.Result(run.run_id, 1, RunStatus.ENDED, 0, 0.1)._asdict()
            database.execute(statements.CLOSE, {"result": json.dumps(result)})
            ends.append(time.perf_counter() - began)
    return won, lost, ends


def main() -> None:
    """Start a server, measure, print, and clean up."""
    import psycopg

    from scheduled_tasks.operate import embedded, migrations

    get_server = embedded.import_pgserver()
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    folder.chmod(0o755)  # if root runs this, the server is another user's process
    server = get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        os.environ["DATABASE_URL"] = str(server.get_uri())
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            migrations.migrate(connection, [migrations.OWN])
        pairs(folder, int(sys.argv[1]) if len(sys.argv) > 1 else 40)
        began = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(HOSTS) as pool:
            done = pool.map(host, [f"app{n}" for n in range(HOSTS)], chunksize=1)
        took = time.perf_counter() - began
        print(
            f"{HOSTS} hosts, {SLOTS} slots in {took:.1f} s: {SLOTS / took * 60:,.0f} runs a minute, each claimed by all"
        )
        for index, what in enumerate(("claim that wins", "claim that loses", "end")):
            seconds = [taken for times in done for taken in times[index]]
            print(f"{what:18}{len(seconds):7}  median {median(seconds) * 1e3:6.1f} ms, 99th of 100 "
                  f"{quantiles(seconds, n=100)[-1] * 1e3:6.1f} ms")  # fmt: skip
    finally:
        server.cleanup()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
