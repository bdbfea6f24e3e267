"""The ledger in a virtual machine: systemd 257, control groups v2, and a power cut while a job runs.

Its jobs are those of deaths.py and test_hostile.py whose end depends on systemd and the kernel. PostgreSQL is on
another host, from which the kernel's address filter keeps the services away until the configuration allows it. After
the power cut, the sender of notices reaches a web server that is allowed, and not one that is not.

An emulated processor is as slow as the host is busy: time limits and due times derive from how long an apply took.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from tests.machine import hostile_tasks, vm_python
from tests.machine.deaths import DEATHS, TASKS, Death, check, rows_of
from tests.machine.fleet import FOLDER, furnish, postgresql
from tests.machine.rendered import write_below
from tests.machine.vm import REPORT, virtual_machine
from tests.sinks import web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_postgresql import Server

pytestmark = pytest.mark.emulated

WITHIN, DATABASE_TIMEOUT = 1500.0, 1200  # seconds; usually two minutes
POSTGRESQL, FORBIDDEN = "10.0.2.2", "10.0.2.3"  # addresses of the host and of its resolver in the machine's network
FAR = "10.99.0.1"  # an address of the machine itself, beyond loopback
NOTIFIER = "teller"
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
    "slow": ", timeout=pace // 2",
    "greedy": ", memory_max='120M'",
    "again": ", retries=1, retry_delay=1",
    "strikes": ", user='daemon'",  # the processes of other users survive it
}
APART = 2  # seconds from job to job
CLOCK = f"""from datetime import UTC, datetime, timedelta
from pathlib import Path
from scheduled_tasks import Clock
from fleet.tasks.deaths import *
from fleet.tasks.hostile import *

first = datetime.fromisoformat(Path("/srv/first").read_text().strip())
pace = int(Path("/srv/pace").read_text())  # seconds that this machine takes for much more than a run's start


def due(n):
    # The first job, which has a time limit, starts alone.
    at = first + timedelta(seconds=n and pace // 4 + n * {APART})
    return {{"hour": at.hour, "minute": at.minute, "second": at.second}}


scheduler = Clock(memory_max="200M")
"""
# The first apply is refused and changes nothing. The first job is due after the next apply is expected to end; an
# apply that took longer is repeated.
AT_BOOT = f"""#!/bin/sh
if [ -e /srv/first ]; then
    systemctl start clock-watch.service  # its timer would do so within a minute
    exec /srv/tell.sh >{REPORT} 2>&1
fi
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
    first=$((began + pace))
    apply $first $pace
done
echo "first: $first" >{REPORT}
"""
# After the power cut. The server that is not allowed answers, but not to the sender.
TELL = f"""#!/bin/sh
names='"database_url", "notify.database_url", "notify.near", "notify.far"'
sed --in-place "s/^credentials = .*/credentials = [$names]/" /etc/scheduled-tasks/config.toml
cat /srv/notify.toml >>/etc/scheduled-tasks/config.toml
PYTHONHOME={vm_python.FOLDER} {vm_python.INTERPRETER} -B /srv/serve.py &
until [ -e /srv/answered ]; do sleep 1; done
{FOLDER}/bin/clocks migrate
{FOLDER}/bin/clocks apply
{FOLDER}/bin/clocks notify test
echo "told: $?"
# It records nothing within two minutes of a heartbeat from before the boot; its timer would start it once a minute.
while sleep 5; do systemctl start clock-watch.service; done
"""
SERVER = f"""
import threading, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.end_headers()


server = ThreadingHTTPServer(({FAR!r}, 8099), Handler)
threading.Thread(target=server.serve_forever).start()
answer = urllib.request.urlopen("http://{FAR}:8099", data=b"")
print("outside the sandbox:", answer.status, flush=True)
Path("/srv/answered").touch()
"""
NOTIFY = f"""
notifier_role = "{NOTIFIER}"

[notify]
default = ["near"]

[notify.routes.near]
kind = "webhook"
credential = "near"
allow_network = ["{POSTGRESQL}/32"]

[notify.routes.far]
kind = "webhook"
credential = "far"
allow_network = []
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
NETWORK = f"[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nAddress={FAR}/32\n"
# Over is not a run with another attempt to come, and not a stopped one before systemd's reason is recorded.
ENDED = (
    "SELECT job FROM task_run WHERE scheduled_at >= %s AND status IN ('ended', 'failed')"
    " AND (job, attempt) <> ('again', 1) AND error_type IS DISTINCT FROM 'Stopped'"
)
RUNNING = "SELECT FROM task_run WHERE scheduled_at >= %s AND status = 'started'"


def put_in(root: Path, url: str, near: str) -> None:
    inside = url.replace("127.0.0.1", POSTGRESQL)
    furnish(root, inside, has_python=False)
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
    notify = {
        "database_url": inside.replace("//postgres@", f"//{NOTIFIER}@"),
        "near": near.replace("127.0.0.1", POSTGRESQL),
        "far": f"http://{FAR}:8099",
    }
    for name, value in notify.items():
        write_below(root, f"/etc/scheduled-tasks/credentials/notify.{name}", value)
    write_below(root, "/srv/notify.toml", NOTIFY)
    write_below(root, "/srv/serve.py", SERVER)
    write_below(root, "/srv/tell.sh", TELL, mode=0o755)
    write_below(root, "/srv/at-boot.sh", AT_BOOT, mode=0o755)
    write_below(root, "/etc/systemd/system/at-boot.service", AT_BOOT_SERVICE)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "at-boot.service").symlink_to("../at-boot.service")


class Happened(NamedTuple):
    """What happened on the machine before and after its power was cut.

    Attributes:
        server: the database.
        report: what it wrote before.
        told: what it wrote afterwards.
        received: what the allowed server was sent, as `what` of the messages says.
    """

    server: Server
    report: str
    told: str = ""
    received: tuple[str, ...] = ()

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
    with ExitStack() as stack:
        server, url = stack.enter_context(postgresql(100))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {NOTIFIER} LOGIN".encode())
        near = stack.enter_context(web_server())
        machine = stack.enter_context(virtual_machine(lambda root: put_in(root, url, near.url), has_network=True))

        def now() -> Happened:
            return Happened(server, machine.report.replace("\r", ""))

        def only_one_is_running() -> bool:
            since = first(now().report)
            return bool(since) and len(now().query(ENDED, since)) == len(JOBS) - 1 and bool(now().query(RUNNING, since))

        machine.cut("the runs", only_one_is_running, seconds=WITHIN)
        before = now()

        def has_watched_and_told() -> bool:
            return not before.query(RUNNING, first(before.report)) and "\ntold: " in now().report

        machine.cut("the watch and the sender", has_watched_and_told, seconds=WITHIN)
        yield before._replace(told=now().report, received=tuple(posted.json["what"] for posted in near.requests))


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


def test_the_sender_reaches_what_its_routes_allow_and_nothing_else(happened: Happened) -> None:
    assert "outside the sandbox: 200\n" in happened.told
    assert happened.received.count("test") == 1  # and by then the first notices
    assert re.search(r"^near \(webhook\): sent in \d+\.\d s$", happened.told, re.MULTILINE), happened.told
    blocked = (
        f"far (webhook): not sent: http://{FAR}:8099: no answer within 30 s: the server is down, or the sandbox of the"
        " sender blocks the address: add it to allow_network of the route, or of [notify], and apply\n"
    )
    assert blocked in happened.told
    assert happened.told.endswith("told: 75\n")
