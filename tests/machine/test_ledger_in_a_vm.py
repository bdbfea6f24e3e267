"""The cases of test_ledger.py in a virtual machine: systemd 257, control groups v2, and a power cut while a job runs.

Its services reach PostgreSQL on the loopback interface, through systemd-socket-proxyd, as on a host with its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.machine.fleet import FOLDER, furnish, postgresql
from tests.machine.rendered import write_below
from tests.machine.test_ledger import DEATHS, TASKS, check, rows_of
from tests.machine.vm import REPORT, virtual_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.xdist_group("vm")  # it keeps two CPUs busy: one such machine at a time

WITHIN = 900.0  # seconds; usually a minute and a half
EMULATED = 20  # an emulated processor is slower by this factor, for which limits in seconds must leave time
# The cases that depend on systemd and the kernel; how Python ends is the same everywhere.
JOBS = {
    **{job: DEATHS[job] for job in ("slow", "ends", "killed", "no_python", "again")},
    "greedy": ("eats, 'cron'", "failed", "oom-kill", None, "OOM killer"),
    "cut_off": ("hangs, 'cron'", "lost", None, None, ""),
}
OPTIONS = {"slow": f", timeout={3 * EMULATED}", "greedy": ", memory_max='120M'", "again": ", retries=1, retry_delay=1"}
APART = 3  # seconds from job to job
CLOCK = f"""from datetime import UTC, datetime, timedelta
from pathlib import Path
from scheduled_tasks import Clock
from fleet.tasks import deaths

first = datetime.fromisoformat(Path("/srv/first").read_text().strip())


def due(n):
    at = first + timedelta(seconds=n * {APART})
    return {{"hour": at.hour, "minute": at.minute, "second": at.second}}


scheduler = Clock(memory_max="200M")
"""
AT_BOOT = f"""#!/bin/sh
[ ! -e /srv/first ] || exec systemctl start clock-watch.service  # its timer would do so within a minute
apply_for() {{
    date --utc --date="+$1 seconds" --iso-8601=seconds >/srv/first
    {FOLDER}/bin/clocks apply >{REPORT} 2>&1
    echo "applied: $?" >{REPORT}
}}
# How long an apply takes depends on the host. The second is quicker: it is done well before the first job is due.
began=$(date +%s)
apply_for 36000
apply_for $(($(date +%s) - began + {2 * EMULATED}))
"""
UNITS = {
    "at-boot.service": """[Unit]
Wants=database.socket systemd-networkd.service
After=database.socket systemd-networkd.service systemd-tmpfiles-setup.service
[Service]
Type=oneshot
Environment=SCHEDULED_TASKS_CONFIG=/etc/scheduled-tasks/config.toml
Environment=CREDENTIALS_DIRECTORY=/etc/scheduled-tasks/credentials
ExecStart=/srv/at-boot.sh
""",
    "database.socket": "[Socket]\nListenStream=127.0.0.1:{port}\n",
    "database.service": "[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd 10.0.2.2:{port}\n",
}
NETWORK = "[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\n"

Query: TypeAlias = "Callable[..., list[tuple[Any, ...]]]"


def put_in(root: Path, url: str) -> None:
    furnish(root, url, has_python=False)
    write_below(root, f"{FOLDER}/fleet/tasks/deaths.py", TASKS)
    jobs = [
        f"scheduler.add_job(deaths.{call}, id={job!r}, **due({n}){OPTIONS.get(job, '')})"
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
    for name, text in UNITS.items():
        write_below(root, f"/etc/systemd/system/{name}", text.format(port=urlsplit(url).port))
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for name in ("at-boot.service", "database.socket"):
        (wants / name).symlink_to(f"../{name}")


@pytest.fixture(scope="module")
def query() -> Iterator[Query]:
    """A function that queries the ledger, after everything has happened on the machine."""
    with postgresql(100) as (server, url), virtual_machine(lambda root: put_in(root, url), has_network=True) as machine:

        def query(statement: str, *values: object) -> list[tuple[Any, ...]]:
            with psycopg.connect(server.url, autocommit=True) as connection:
                return connection.execute(statement, values).fetchall()

        # Not over yet: a run with another attempt to come, and a stopped one before systemd's reason is recorded.
        over = (
            "SELECT job FROM task_run WHERE status IN ('ended', 'failed') AND (job, attempt) <> ('again', 1)"
            " AND error_type IS DISTINCT FROM 'Stopped'"
        )
        started = "SELECT FROM task_run WHERE status = 'started'"

        def only_one_is_running() -> bool:
            return len(query(over)) == len(JOBS) - 1 and bool(query(started))

        machine.cut("the runs", only_one_is_running, seconds=WITHIN)
        machine.cut("the watch", lambda: not query(started), seconds=WITHIN)
        yield query


@pytest.mark.parametrize("job", JOBS)
def test_every_way_to_end_is_recorded_in_the_slots_only_row(query: Query, job: str) -> None:
    check(JOBS, job, rows_of(query, job))
