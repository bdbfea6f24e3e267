"""The ledger judges a cluster: the exported Deployment watches, and the exported CronJobs' pods run, as processes.

No cluster is here: the test is the CronJob controller, which starts pods or doesn't, and kubelet.py the kubelet. The
commands, variables and files are those of the exported YAML, and the program is the image's, built by the steps of the
Dockerfile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.integration import test_image
from tests.integration.kubelet import Kubelet, Object
from tests.sinks import mail_server

Database = psycopg.Connection[Any]
image, over_tcp = test_image.image, test_image.over_tcp  # fixtures

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a container's files: sudo bin/test"),
]

CLOCK = '''"""The night."""

from scheduled_tasks import Clock, app
from scheduled_tasks.bundled import command
from scheduled_tasks.domains import algolia, booking

scheduler = Clock(timezone="Europe/Paris", owner="shop")
scheduler.add_job(booking.cancel_expired_bookings, "cron", [app], id="cancel", minute="*")
SHELL = ["/bin/sh", "-c", "test $$ -gt 0 && echo $((6 * 7)), $(id -u); touch /x"]
scheduler.add_job(command.run, "cron", [SHELL], id="shell", minute="*", notify=[])
scheduler.add_job(command.run, "cron", [["/bin/true"]], id="off", minute="*", next_run_time=None)
'''
CONFIGURATION = """\
[tool.scheduled_tasks]
domains = "scheduled_tasks.domains"
clocks = "night_clocks"
features = "scheduled_tasks.domains.features:FeatureToggle"
app = "scheduled_tasks.domains.application:create_app"
timezone = "Europe/Paris"
[tool.scheduled_tasks.notify]
default = ["ops"]
[tool.scheduled_tasks.notify.routes.ops]
kind = "mail"
url = "smtp://127.0.0.1:{port}"
from = "clocks@example.org"
to = ["ops@example.org"]
"""


@pytest.fixture
def node(
    image: Path,
    over_tcp: str,
    tmp_path: Path,
) -> Iterator[tuple[Kubelet, Any]]:
    """A node to which the export of a small project was applied, and the mail server that its notices reach."""
    with mail_server() as mails:
        project = tmp_path / "project"
        (project / "night_clocks").mkdir(parents=True)
        (project / "night_clocks/__init__.py").touch()
        (project / "night_clocks/night.py").write_text(CLOCK)
        (project / "pyproject.toml").write_text(CONFIGURATION.format(port=mails.port))
        command = [sys.executable, "-m", "scheduled_tasks.cli", "export", "kubernetes", str(tmp_path / "k8s")]
        options = ["--image", "registry.example.org/shop:1", "--cluster", "prod"]
        root = str(Path(__file__).parents[2])
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": root}
        done = subprocess.run(
            [*command, *options], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        files = image / f"node-{uuid4()}"  # below a folder that every user can enter
        kubelet = Kubelet(image, files)
        for path in sorted((tmp_path / "k8s").glob("*.yaml")):
            if path.name != "kustomization.yaml":
                kubelet.apply(path, values={"database_url": over_tcp})
        yield kubelet, mails


def job(node: Kubelet, name: str, at: datetime, *, uid: str = "") -> subprocess.Popen[str]:
    """Start the pod of the Job that a CronJob creates for a nominal time."""
    cron_job = node.objects["CronJob", name]
    template = cron_job["spec"]["jobTemplate"]["spec"]["template"]
    own = {
        "batch.kubernetes.io/job-name": f"{name}-{int(at.timestamp()) // 60}",
        "batch.kubernetes.io/controller-uid": uid or str(uuid4()),
    }
    return node.start(template["spec"], template["metadata"]["labels"] | own, str(uuid4()))


def run(node: Kubelet, name: str, at: datetime, *, uid: str = "") -> tuple[int, str]:
    """Run such a pod to its end; return its exit code and its log."""
    process = job(node, name, at, uid=uid)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


@contextmanager
def watch(node: Kubelet) -> Iterator[subprocess.Popen[str]]:
    """The Deployment's pod, until the end of the block; then it is stopped as a kubelet stops it."""
    template: Object = node.objects["Deployment", "scheduled-tasks-watch"]["spec"]["template"]
    process = node.start(template["spec"], template["metadata"]["labels"], str(uuid4()))
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is the case, while a process runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.1)


def pass_time(connection: Database, minutes: int) -> None:
    """Let time pass for the ledger: everything that it knows happened so much earlier."""
    past = timedelta(minutes=minutes)
    connection.execute("UPDATE deployed_job SET valid_from = valid_from - %s", [past])
    connection.execute(
        "UPDATE host SET heartbeats_since = heartbeats_since - %(past)s, accounted_until = accounted_until - %(past)s",
        {"past": past},
    )


def slots(connection: Database, name: str) -> list[tuple[str, int]]:
    """The statuses of a job's slots, with how many there are of each."""
    return connection.execute(
        "SELECT status, count(*) FROM task_run WHERE job = %s AND slot_host = '' GROUP BY 1 ORDER BY 1", [name]
    ).fetchall()


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def test_what_kubernetes_never_starts_is_missed_and_told_and_what_it_starts_mends_it(
    node: tuple[Kubelet, Any], connection: Database
) -> None:
    kubelet, mails = node
    hosts = "SELECT name FROM host WHERE heartbeat_at IS NOT NULL"
    with watch(kubelet) as process:
        wait_for(lambda: connection.execute(hosts).fetchall() == [("prod/shop",)], process)
        deployed = "SELECT job, options->>'paused' FROM deployed_job WHERE host = 'prod/shop' ORDER BY job"
        wait_for(lambda: len(connection.execute(deployed).fetchall()) == 3, process)
    assert connection.execute(deployed).fetchall() == [("cancel", "false"), ("off", "true"), ("shell", "false")]

    pass_time(connection, 20)
    with watch(kubelet) as process:  # the pod was moved to another node
        opened = "SELECT kind, clock, job, host FROM incident WHERE closed_at IS NULL AND job = 'cancel'"
        wait_for(lambda: connection.execute(opened).fetchall(), process)
        assert connection.execute(opened).fetchall() == [("missed", "night", "cancel", "")]
        wait_for(lambda: mails.mails, process)
    [(status, missed)] = slots(connection, "cancel")
    assert status == "missed"
    assert 13 <= missed <= 16  # those of the last five minutes may still start
    assert slots(connection, "off") == []
    assert connection.execute("SELECT DISTINCT host, reason FROM task_run WHERE job = 'cancel'").fetchall() == [
        ("prod/shop", "prod/shop did not start it")
    ]
    assert "night/cancel" in mails.mails[0]["Subject"]

    code, log = run(kubelet, "night-cancel", this_minute())
    assert code == 0, log
    with watch(kubelet) as process:
        wait_for(lambda: len(mails.mails) > 1, process)
    assert connection.execute(opened).fetchall() == []
    assert connection.execute(
        "SELECT status, host, trigger, attempt FROM task_run WHERE job = 'cancel' AND status <> 'missed'"
    ).fetchall() == [("ended", "prod/shop", "timer", 1)]


def test_a_pod_has_the_restricted_container_of_its_yaml(node: tuple[Kubelet, Any], connection: Database) -> None:
    kubelet, _ = node
    at = this_minute()
    code, log = run(kubelet, "night-shell", at)
    assert '"message": "42, 65532"' in log
    assert "Read-only file system" in log
    assert code == 1
    assert connection.execute(
        "SELECT status, scheduled_at, host, exit_code FROM task_run WHERE job = 'shell'"
    ).fetchall() == [("failed", at, "prod/shop", 1)]


def test_the_pods_of_a_job_are_attempts_and_a_second_job_for_the_slot_runs_nothing(
    node: tuple[Kubelet, Any], connection: Database
) -> None:
    kubelet, _ = node
    at, uid = this_minute(), str(uuid4())
    assert [run(kubelet, "night-shell", at, uid=uid)[0] for _ in range(2)] == [1, 1]
    other, log = run(kubelet, "night-shell", at)
    assert other == 0
    assert '"reason": "claimed by this host, status failed"' in log
    attempts = "SELECT run_id::text, attempt, status FROM "
    assert connection.execute(attempts + "task_run").fetchall() == [(uid, 2, "failed")]
    assert connection.execute(attempts + "past_attempt").fetchall() == [(uid, 1, "failed")]


def test_a_pod_that_is_killed_is_lost_when_its_time_is_over(node: tuple[Kubelet, Any], connection: Database) -> None:
    kubelet, _ = node
    at = this_minute()
    with psycopg.connect(connection.info.dsn) as other:
        other.execute("LOCK TABLE booking IN ACCESS EXCLUSIVE MODE")  # so that the task waits
        process = job(kubelet, "night-cancel", at)
        started = "SELECT status FROM task_run WHERE job = 'cancel'"
        wait_for(lambda: connection.execute(started).fetchall() == [("started",)], process)
        process.kill()
        process.communicate()
        other.rollback()
    connection.execute("UPDATE task_run SET expires_at = now() - interval '1 s'")
    with watch(kubelet) as process:
        wait_for(lambda: connection.execute(started).fetchall() == [("lost",)], process)


def test_the_watch_stops_at_once_and_goes_on_without_a_database(
    node: tuple[Kubelet, Any],
    connection: Database,
    over_tcp: str,
) -> None:
    kubelet, _ = node
    secret = kubelet.objects["Secret", "scheduled-tasks-watch"]["stringData"]
    secret["database_url"] = "postgresql://postgres@127.0.0.1:1/none"
    with watch(kubelet) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("clocks: PostgreSQL is unreachable")
        assert process.poll() is None
