"""The ledger in a virtual machine: systemd 257, control groups v2, and a power cut while a job runs.

Its jobs are those of test_ledger.py and test_hostile.py whose end depends on systemd and the kernel. PostgreSQL is on
another host, from which the kernel's address filter keeps the services away until the configuration allows it.

An emulated processor is as slow as the host is busy: time limits and due times derive from how long an apply took.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from tests.machine import hostile_tasks
from tests.machine.fleet import FOLDER, furnish, postgresql
from tests.machine.rendered import write_below
from tests.machine.test_ledger import DEATHS, TASKS, Death, check, rows_of
from tests.machine.vm import REPORT, virtual_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_postgresql import Server

pytestmark = pytest.mark.emulated

WITHIN, DATABASE_TIMEOUT = 1500.0, 1200  # seconds; usually two minutes
POSTGRESQL, FORBIDDEN = "10.0.2.2", "10.0.2.3"  # addresses of the host and of its resolver in the machine's network
# How Python ends is the same everywhere.
JOBS: dict[str, Death] = {
    **{job: DEATHS[job] for job in ("slow", "ends", "killed", "no_python", "again")},
    "greedy": ("eats, 'cron'", "failed", "oom-kill", None, "OOM killer"),
    "cut_off": ("hangs, 'cron'", "lost", None, None, ""),
    "exits_at_exit": ("exits_at_exit, 'cron'", "failed", "exit-code", 3, ""),
    "reaches_out": (f"reaches_out, 'cron', [{FORBIDDEN!r}]", "failed", "PermissionError", 1, ""),
    "strikes": ("strikes, 'cron'", "ended", None, 0, ""),
}
OPTIONS = {
    "slow": ", timeout=pace",
    "greedy": ", memory_max='120M'",
    "again": ", retries=1, retry_delay=1",
    "strikes": ", user='daemon'",  # the processes of other users survive it
}
APART = 3  # seconds from job to job
CLOCK = f"""from datetime import UTC, datetime, timedelta
from pathlib import Path
from scheduled_tasks import Clock
from fleet.tasks.deaths import *
from fleet.tasks.hostile import *

first = datetime.fromisoformat(Path("/srv/first").read_text().strip())
pace = int(Path("/srv/pace").read_text())  # seconds that this machine takes for much more than a run's start


def due(n):
    # The first job, which has a time limit, starts alone.
    at = first + timedelta(seconds=n and pace // 2 + n * {APART})
    return {{"hour": at.hour, "minute": at.minute, "second": at.second}}


scheduler = Clock(memory_max="200M")
"""
# The first apply is refused and changes nothing. The first job is due after the next apply is expected to end; an
# apply that took longer is repeated.
AT_BOOT = f"""#!/bin/sh
[ ! -e /srv/first ] || exec systemctl start clock-watch.service  # its timer would do so within a minute
apply() {{
    date --utc --date="@$1" --iso-8601=seconds >/srv/first
    echo $2 >/srv/pace
    {FOLDER}/bin/clocks apply >{REPORT} 2>&1
    applied=$?
    echo "applied: $applied" >{REPORT}
}}
began=$(date +%s)
apply $((began + 36000)) 3600
echo "timers: $(ls /etc/systemd/system | grep --count 'clock.*timer')" >{REPORT}
cat >>/etc/scheduled-tasks/config.toml <<END
allow_network = ["{POSTGRESQL}/32"]
database_retry_timeout = {DATABASE_TIMEOUT}
END
first=0
until [ $applied = 0 ] && [ $(date +%s) -lt $first ]; do
    systemctl stop 'clock-deaths-*.service'
    pace=$(($(date +%s) - began + 20))
    began=$(date +%s)
    first=$((began + 2 * pace))
    apply $first $pace
done
echo "first: $first" >{REPORT}
"""
AT_BOOT_SERVICE = """[Unit]
Wants=systemd-networkd-wait-online.service
After=systemd-networkd-wait-online.service systemd-tmpfiles-setup.service
[Service]
Type=oneshot
Environment=SCHEDULED_TASKS_CONFIG=/etc/scheduled-tasks/config.toml
Environment=CREDENTIALS_DIRECTORY=/etc/scheduled-tasks/credentials
ExecStart=/srv/at-boot.sh
"""
NETWORK = "[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\n"
# Over is not a run with another attempt to come, and not a stopped one before systemd's reason is recorded.
ENDED = (
    "SELECT job FROM task_run WHERE scheduled_at >= %s AND status IN ('ended', 'failed')"
    " AND (job, attempt) <> ('again', 1) AND error_type IS DISTINCT FROM 'Stopped'"
)
RUNNING = "SELECT FROM task_run WHERE scheduled_at >= %s AND status = 'started'"


def put_in(root: Path, url: str) -> None:
    furnish(root, url.replace("127.0.0.1", POSTGRESQL), has_python=False)
    write_below(root, f"{FOLDER}/fleet/tasks/deaths.py", TASKS)
    write_below(root, f"{FOLDER}/fleet/tasks/hostile.py", Path(hostile_tasks.__file__).read_text())
    jobs = [
        f"scheduler.add_job({call}, id={job!r}, **due({n}){OPTIONS.get(job, '')})"
        for n, (job, (call, *_)) in enumerate(JOBS.items())
    ]
    write_below(root, f"{FOLDER}/fleet/clocks/__init__.py", "")
    write_below(root, f"{FOLDER}/fleet/clocks/deaths.py", CLOCK + "\n".join(jobs) + "\n")
    write_below(root, "/etc/hostname", "app1\n")
    write_below(root, "/etc/systemd/network/10-ether.network", NETWORK)
    broken = "[Service]\nExecStart=\nExecStart=/srv/no-python\n"
    write_below(root, "/etc/systemd/system/clock-deaths-no_python.service.d/90-local.conf", broken)
    write_below(root, "/srv/no-python", "#!/usr/bin/python-that-is-gone\n", mode=0o755)
    write_below(root, "/srv/at-boot.sh", AT_BOOT, mode=0o755)
    write_below(root, "/etc/systemd/system/at-boot.service", AT_BOOT_SERVICE)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "at-boot.service").symlink_to("../at-boot.service")


class Happened(NamedTuple):
    """What happened on the machine before its power was cut.

    Attributes:
        server: the database.
        report: what it wrote.
    """

    server: Server
    report: str

    @property
    def refused(self) -> str:
        """What it wrote about the first apply."""
        return self.report.partition("applied: ")[0]

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()


@pytest.fixture(scope="module")
def happened() -> Iterator[Happened]:
    with postgresql(100) as (server, url), virtual_machine(lambda root: put_in(root, url), has_network=True) as machine:

        def now() -> Happened:
            return Happened(server, machine.report.replace("\r", ""))

        def only_one_is_running() -> bool:
            since = first(now().report)
            return bool(since) and len(now().query(ENDED, since)) == len(JOBS) - 1 and bool(now().query(RUNNING, since))

        machine.cut("the runs", only_one_is_running, seconds=WITHIN)
        before = now()
        machine.cut("the watch", lambda: not before.query(RUNNING, first(before.report)), seconds=WITHIN)
        yield before


def first(report: str) -> datetime | None:
    """When the first job was due after the last apply."""
    seconds = report.partition("first: ")[2].partition("\n")[0]
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None


@pytest.mark.parametrize("job", JOBS)
def test_every_way_to_end_is_recorded_in_the_slots_only_row(happened: Happened, job: str) -> None:
    check(JOBS, job, rows_of(happened.query, job, since=first(happened.report), max_lag=3600))


def test_a_trial_finds_the_kernels_address_filter_before_anything_is_in_force(happened: Happened) -> None:
    assert f'allow_network=["{POSTGRESQL}/32"] in the clock or job' in happened.refused
    assert "applied: 65\ntimers: 0\n" in happened.report
