"""Claim slots as one of many claimants: do the work of each slot that it gets, and print how many it got.

DATABASE_URL=… python claiming.py HOST FIRST-JOB JOBS ROUNDS

It prints that it is ready, and begins when it reads a line.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

from scheduled_tasks.run import database, record, statements
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.status import RunStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


def main(host: str, first: int, jobs: int, rounds: int) -> None:
    """Claim all slots, round by round and job by job, starting with its own first job."""
    won = 0
    for minute in range(rounds):
        for number in range(jobs):
            run = Run("shop.work", "work", clock="herd", job=f"job_{(first + number) % jobs}")
            run.host, run.slot_host, run.trigger = host, "", "timer"
            run.scheduled_at = START + timedelta(minutes=minute)
            claim = record.open_run(run, record.ClaimTerms(timeout=60), "")
            if claim.attempt is None:
                assert claim.skip_reason, "a lost claim has a reason"
                continue
            won += 1
            database.execute(
                "INSERT INTO effect VALUES (%(job)s, %(at)s)", {"job": run.job, "at": run.scheduled_at}, retry=False
            )
            result = record.Result(run.run_id, claim.attempt, RunStatus.ENDED, 0, 0.1)
            values = {"result": json.dumps(result._asdict())}
            assert database.execute(statements.CLOSE, values) == [(True,)]
    sys.stdout.write(str(won))


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
