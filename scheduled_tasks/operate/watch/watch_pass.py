"""One pass of the watch on a deployed host: report, account, record what runs could not, start what has to run again.

Each step is tried on its own, the most important first: the account comes before all steps that read files which jobs
can write. A step that fails is named in the result, and the others are tried all the same, unless the connection to the
database is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from scheduled_tasks.deploy import start_requests
from scheduled_tasks.operate import host_watch
from scheduled_tasks.operate.account import Account, account, last_heartbeat
from scheduled_tasks.operate.feature_flags import revert_expired
from scheduled_tasks.operate.prune import KEEP_LOG_DAYS, prune_daily
from scheduled_tasks.operate.reconcile import Reconciled
from scheduled_tasks.operate.requests.carry_out import carry_out
from scheduled_tasks.operate.requests.services import SystemdServices
from scheduled_tasks.operate.watch import watch_state
from scheduled_tasks.operate.watch.resolved_results import mark_resolved
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.operate.watch.starting import services_that_start

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection

T = TypeVar("T")

JUDGE = "judge jobs and hosts"  # the name of that step


@dataclass
class Pass:
    """What a pass did.

    Attributes:
        account: the account; None if that step failed.
        started: the services that were started, to catch up or to take over.
        requests: a line for each request that is finished now.
        errors: of each step that failed, its error.
        had_failed: whether the pass before failed, and this one succeeded.
    """

    account: Account | None = None
    started: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    had_failed: bool = False

    def step(self, connection: Connection, what: str, act: Callable[[], T]) -> T | None:
        """Take a step; None if it fails, unless the connection is lost."""
        try:
            return act()
        except Exception as error:
            if connection.closed:
                raise
            self.errors[what] = error
            return None


def run_pass(  # noqa: PLR0913 - what a pass needs to know
    connection: Connection,
    places: Places,
    host: str,
    now: datetime,
    *,
    release: str,
    keep_days: float,
    keep_logs: float = KEEP_LOG_DAYS,
    judge: Callable[[], None],
) -> Pass:
    """Take all steps.

    Args:
        connection: on which each statement is a transaction of its own.
        places: of this machine, whose jobs and pauses are reported.
        host: its name.
        now: the database's time.
        release: this program's, recorded for diagnostics.
        keep_days: for how long runs are kept.
        keep_logs: for how many days log lines are kept.
        judge: opens and closes incidents (alert/judge.py), after all results of this pass are recorded.
    """
    done = Pass()
    step = partial(done.step, connection)
    before = last_heartbeat(connection, host)
    step("report what is deployed", partial(host_watch.report_deployed, connection, places, host, now))
    step("report pauses", partial(host_watch.report_pauses, connection, places, host, now))
    starting = partial(services_that_start, places, host_watch.jobs_here(places), now)
    done.account = step("account for slots", partial(account, connection, host, now, release, starting))
    reconcile = partial(host_watch.reconcile_host, connection, places, host)
    reconciled = step("record what runs could not", reconcile) or Reconciled()
    step("store log lines", partial(host_watch.store_run_logs, connection, places, host))
    step("mark resolved results", partial(mark_resolved, connection, now))
    step(JUDGE, judge)
    step("count slots", partial(count_slots, connection))
    step("switch flags back", partial(revert_expired, connection))
    take_over = partial(host_watch.take_over, places, reconciled.to_take_over, host)
    done.started += step("take over slots", take_over) or []
    if before is not None:
        catch_up = partial(host_watch.catch_up, connection, places, host, before, now)
        done.started += step("catch up after pauses", catch_up) or []
    step("remove old start requests", partial(start_requests.sweep, places))
    step("reset failed reports", partial(host_watch.reset_recorded_failures, places))
    step("check due times", partial(host_watch.check_due_times, connection, places, host, now))
    step("delete old runs", partial(prune_daily, connection, keep_days, now, keep_logs=keep_logs))
    done.requests += step("carry out requests", partial(_carry_out, connection, places, host, now)) or []
    if not done.errors:
        done.had_failed = bool(step("record its success", partial(watch_state.record_success, places)))
    return done


def _carry_out(connection: Connection, places: Places, host: str, now: datetime) -> list[str]:
    """Work on this host's requests: the last step, because a backfill waits for its runs."""
    jobs = {(job.clock, job.job): job for job in host_watch.deployed_here(places, host)}
    return carry_out(connection, host, jobs, SystemdServices(places, host), now)
