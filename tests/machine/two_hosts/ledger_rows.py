"""What the ledger of the two hosts says: runs, deployed jobs, and the time by its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.machine.fleet import Fleet


def rows(fleet: Fleet, clock: str, job: str, condition: str = "true") -> list[tuple[Any, ...]]:
    return fleet.query(
        f"SELECT status, host, reason, trigger FROM task_run WHERE clock = %s AND job = %s AND {condition}"
        " ORDER BY scheduled_at",
        clock, job,
    )  # fmt: skip


def deployed(fleet: Fleet) -> list[tuple[Any, ...]]:
    return fleet.query("SELECT host, count(*) FROM deployed_job WHERE valid_until IS NULL GROUP BY host ORDER BY host")


def now(fleet: Fleet) -> Any:
    return fleet.query("SELECT clock_timestamp()")[0][0]
