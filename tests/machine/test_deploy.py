"""End to end: a fresh machine, one command, and a timer whose job changes rows in PostgreSQL."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.documented import commands
from tests.machine.controller import listed_files, read_play
from tests.machine.rendered import OUT, Jobs, host, start, values
from tests.machine.waiting import wait_for
from tests.sinks import mail_server

if TYPE_CHECKING:
    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("deploy")  # one deployment for all tests

REPOSITORY = Path(__file__).parents[2]
PROJECT = "/srv/project"  # the repository in the machine
PLAYBOOK, LIST_TIMERS = commands("README.md", "deployed")

# An additional clock, because the example's jobs are due at night.
OFTEN = """
from scheduled_tasks import Clock, app
from scheduled_tasks.domains.booking import cancel_expired_bookings

scheduler = Clock()
scheduler.add_job(cancel_expired_bookings, "cron", [app], id="cancel", second="*/2")
"""
# psycopg connects to a socket, httpx by TCP to a name that has to be resolved.
CONNECTS = f"""
import httpx, os, psycopg
with psycopg.connect(open(os.environ["CREDENTIALS_DIRECTORY"] + "/database_url").read()) as connection:
    [user] = connection.execute("SELECT current_user").fetchone()
open("{OUT}/connected", "w").write(f"{{httpx.get('http://localhost:8097/').status_code}} {{user}}")
"""
# A job that fails each minute, once somebody is to be told.
FAILING_TASK = """
from scheduled_tasks import log_cron


@log_cron
def fail():
    raise OSError("the printer is out of paper")
"""
FAILING_CLOCK = """
from scheduled_tasks import Clock
from scheduled_tasks.domains.failing import fail

scheduler = Clock()
scheduler.add_job(fail, "cron", id="fail", minute="*")
"""
ROUTE = {
    "kind": "mail", "from": "clocks@example.org", "to": ["ops@example.org"], "credential": "mail_url",
    "allow_network": ["127.0.0.1"],
}  # fmt: skip
SENDER = "scheduled-tasks-notify"  # the role of the sender of notices
SERVICE = "clock-often-cancel.service"
CANCELLED = "SELECT count(*) FROM booking WHERE status = 'cancelled' AND cancellation_reason = 'expired'"


@pytest.fixture(scope="module")
def project(machine: Machine) -> Machine:
    """A machine with the repository's files in it, and no PostgreSQL."""
    for name in listed_files():
        machine.copy_in(REPOSITORY / name, f"{PROJECT}/{name}")
    (machine.root / PROJECT.lstrip("/") / "scheduled_tasks/clocks/often.py").write_text(OFTEN)
    # The machine has what the host has installed. A fresh one has no PostgreSQL, and the host's cluster would want the
    # host's port.
    installed = machine.run(
        "dpkg-query", "--show", "--showformat=${Package} ", "postgresql*", check=False
    ).stdout.split()
    if installed:
        machine.run("dpkg", "--purge", *installed)
    return machine


@pytest.fixture(scope="module")
def predicted(project: Machine) -> list[str]:
    """The tasks that would change something, according to a dry run on the fresh machine."""
    return play(project, "--check", "--diff")


@pytest.fixture(scope="module")
def changed(project: Machine, predicted: list[str]) -> list[str]:
    """The tasks that changed something when the command ran afterwards."""
    return play(project)


@pytest.fixture(scope="module")
def deployed(project: Machine, changed: list[str]) -> Machine:
    """The machine after the command."""
    assert changed
    return project


def play(machine: Machine, *options: str) -> list[str]:
    """Run the README's command with the tests' own Ansible; return the tasks that changed something."""
    command = [f"{Path(sys.prefix, 'bin')}/{PLAYBOOK}", *options]
    done = machine.run("sh", "-c", " ".join(command), folder=PROJECT, seconds=600)
    sys.stdout.write(done.stdout)  # pytest shows it if a test fails
    return read_play(done.returncode, done.stdout, 0).changed["localhost"]


def query(machine: Machine, sql: str) -> str:
    return machine.run(
        "runuser", "--user=postgres", "--", "psql", "-XAt", "--dbname=scheduled_tasks", f"--command={sql}"
    ).stdout.strip()


def own_lines(machine: Machine, status: str) -> list[dict[str, Any]]:
    return [line for line in machine.log_lines(SERVICE) if line.get("status") == status]


def test_a_dry_run_on_a_fresh_machine_changes_nothing_there(project: Machine, predicted: list[str]) -> None:
    assert "postgresql | Install Debian's PostgreSQL" in predicted
    folders = ("etc/scheduled-tasks", "opt/scheduled-tasks", "opt/.scheduled-tasks-dry-run")
    assert [folder for folder in folders if (project.root / folder).exists()] == []


def test_a_dry_run_on_a_fresh_machine_predicts_exactly_what_the_run_changes(
    predicted: list[str], changed: list[str]
) -> None:
    assert predicted == changed


def test_a_timer_starts_a_job_that_changes_rows_and_logs_it_to_the_journal(deployed: Machine) -> None:
    assert SERVICE.replace(".service", ".timer") in deployed.run("sh", "-c", LIST_TIMERS).stdout
    wait_for("a run that ended", lambda: own_lines(deployed, "ended"))
    assert int(query(deployed, CANCELLED)) > 0

    schema = json.loads((REPOSITORY / "scheduled_tasks/run/log_line.schema.json").read_text())
    lines = deployed.log_lines(SERVICE)
    for line in lines:
        jsonschema.validate(line, schema)
    first_run = [line for line in lines if line["run_id"] == lines[0]["run_id"]]
    assert [line["status"] for line in first_run if "status" in line] == ["started", "ended"]
    assert {line["job"] for line in lines} == {"cancel"}
    assert {line["host"] for line in lines} == {"machine"}
    [summary] = [line for line in first_run if "cancelled" in line]
    assert summary["cancelled"] == int(query(deployed, CANCELLED))


def test_no_job_has_an_exposure_above_1_2_and_one_that_can_reach_any_address_1_3(deployed: Machine) -> None:
    scores = {unit["unit"]: unit["score"] for unit in json.loads(deployed.run("clocks", "security", "--json").stdout)}
    assert len(scores) == 11
    anywhere = {unit for unit in scores if unit.startswith(("clock-algolia-", "clock-titelive-"))}
    assert all(scores[unit] <= 1.3 for unit in anywhere)
    above = {unit for unit in scores.keys() - anywhere if scores[unit] > 1.2}
    assert above == {"clock-watch.service", "clock-failed@.service", "clock-credentials@.service"}  # they run as root
    assert all(scores[unit] <= 1.7 for unit in above)
    loaded = deployed.run("systemd-analyze", "security", "--no-pager", SERVICE).stdout
    assert [float(score) for score in re.findall(r"level for \S+: ([\d.]+)", loaded)] == [scores[SERVICE]]


def test_a_hardened_job_can_connect_to_postgresql_and_http(deployed: Machine, tmp_path: Path) -> None:
    jobs = Jobs("connects", f'read_write_paths=["{OUT}"]')
    jobs.add("to_others", CONNECTS, shell="/opt/scheduled-tasks/current/bin/python")
    jobs.put_on(deployed, tmp_path, host())
    deployed.run("systemd-run", "--unit=web", "python3", "-m", "http.server", "8097", "--bind=127.0.0.1")
    probe = ("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8097))")
    wait_for("the web server", lambda: deployed.run(*probe, check=False).returncode == 0)
    start(deployed, jobs.service("to_others"))
    assert (deployed.root / OUT.lstrip("/") / "connected").read_text() == "200 scheduled-tasks", deployed.journal(
        jobs.service("to_others")
    )


def test_a_disabled_feature_makes_the_next_run_skipped(deployed: Machine) -> None:
    deployed.run("clocks", "features", "disable", "CANCEL_EXPIRED_BOOKINGS", "--reason", "the machine test")
    [line, *_] = wait_for("a skipped run", lambda: own_lines(deployed, "skipped"))
    assert line["feature"] == "CANCEL_EXPIRED_BOOKINGS"
    result = deployed.run("systemctl", "show", SERVICE, "--property=Result,ExecMainStatus").stdout.split()
    assert result == ["Result=success", "ExecMainStatus=0"]


def test_the_documented_commands_pause_and_resume_jobs(deployed: Machine) -> None:
    for command in commands("how-to/pause-and-run.md", "deployed"):
        deployed.run("sh", "-c", command)
    assert query(deployed, "SELECT count(*), count(resumed_at) FROM pause WHERE local_id IS NULL") == "2|2"
    assert list((deployed.root / "etc/scheduled-tasks/paused").iterdir()) == []


def test_a_lost_line_of_pg_hba_is_restored_and_the_others_stay(deployed: Machine) -> None:
    [path] = query(deployed, "SHOW hba_file").split()
    before = deployed.run("cat", path).stdout
    assert before.splitlines()[1] == 'local "scheduled_tasks" "scheduled-tasks" scram-sha-256'
    deployed.run("sed", "-i", "1,3d", path)
    query(deployed, "SELECT pg_reload_conf()")
    query(deployed, 'ALTER ROLE "scheduled-tasks" CONNECTION LIMIT -1')
    assert play(deployed, "--tags=database") == ["postgresql | Create the database and its roles"]
    assert deployed.run("cat", path).stdout == before
    assert query(deployed, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'scheduled-tasks'") == "75"
    query(deployed, 'ALTER ROLE "scheduled-tasks" CONNECTION LIMIT -1')
    assert play(deployed, "--tags=database") == ["postgresql | Create the database and its roles"]
    assert deployed.run("stat", "--format=%U:%a", path).stdout == "postgres:640\n"


def test_a_second_run_of_the_playbook_changes_nothing_not_even_switched_flags(
    deployed: Machine,
) -> None:
    assert play(deployed) == []
    flags = json.loads(deployed.run("clocks", "features", "list", "--json").stdout)["flags"]
    assert {flag["name"]: flag["is_active"] for flag in flags}["CANCEL_EXPIRED_BOOKINGS"] is False


def test_postgresql_listens_on_its_socket_only(deployed: Machine) -> None:
    assert query(deployed, "SHOW listen_addresses") == ""


def test_a_task_can_neither_switch_a_flag_nor_change_a_table(deployed: Machine) -> None:
    assert query(deployed, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == "root"
    url = deployed.run("cat", "/etc/scheduled-tasks/credentials/current/database_url").stdout
    for statement in ("UPDATE feature SET is_active = true", "DELETE FROM task_run", "ALTER TABLE booking ADD x int"):
        done = deployed.run("psql", "--no-psqlrc", f"--command={statement}", url, check=False)
        assert done.returncode == 1
        assert "permission denied" in done.stderr or "must be owner" in done.stderr


def test_the_role_of_the_jobs_has_a_password_that_only_root_can_read_and_a_limit(deployed: Machine) -> None:
    url = deployed.run("cat", "/etc/scheduled-tasks/credentials/current/database_url").stdout
    password = (deployed.root / "etc/scheduled-tasks/postgresql-password").read_text()
    assert url == f"postgresql://scheduled-tasks:{password}@/scheduled_tasks?host=/run/postgresql"
    assert len(password) >= 43
    for path in ("postgresql-password", "credentials/current/database_url"):
        assert deployed.run("stat", "--format=%a %U", f"/etc/scheduled-tasks/{path}").stdout == "600 root\n"
    wrong = url.replace(password, "guessed")
    done = deployed.run("psql", "--no-psqlrc", "--command=SELECT 1", wrong, check=False)
    assert "password authentication failed" in done.stderr
    role = "rolconnlimit, rolconfig FROM pg_roles WHERE rolname = 'scheduled-tasks'"
    limit, _, timeouts = query(deployed, f"SELECT {role}").partition("|")
    assert limit == "75"
    assert "statement_timeout=1h" in timeouts
    logs = deployed.run("sh", "-c", "cat /var/log/postgresql/*; journalctl --no-pager").stdout
    assert password not in logs
    assert (
        query(deployed, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'scheduled-tasks'")
        == "t"
    )


def test_each_job_has_a_user_of_its_own(deployed: Machine) -> None:
    assert values(deployed, SERVICE, "DynamicUser", "User") == ["yes", "clock-often-cancel"]
    assert deployed.run("id", "scheduled-tasks", check=False).returncode == 1


def test_the_play_gives_the_sender_of_notices_a_role_of_its_own_in_the_local_database(deployed: Machine) -> None:
    package = deployed.root / PROJECT.lstrip("/") / "scheduled_tasks"
    (package / "domains/failing.py").write_text(FAILING_TASK)
    (package / "clocks/failing.py").write_text(FAILING_CLOCK)
    with mail_server(auth_require_tls=False) as mail:
        variables = {
            "scheduled_tasks_notify": {"routes": {"ops": ROUTE}},
            "scheduled_tasks_credentials": {"notify.mail_url": f"smtp://127.0.0.1:{mail.port}"},
        }
        options = ("-e", shlex.quote(json.dumps(variables)))
        predicted = play(deployed, "--check", *options)
        assert play(deployed, *options) == predicted
        assert "postgresql | Create the database and its roles" in predicted
        wait_for("a mail", lambda: "failing/fail failed" in [mail["Subject"] for mail in mail.mails])
        assert play(deployed, *options) == []
    url = deployed.run("cat", "/etc/scheduled-tasks/credentials/current/notify.database_url").stdout
    password = (deployed.root / "etc/scheduled-tasks/postgresql-notify-password").read_text()
    assert url == f"postgresql://{SENDER}:{password}@/scheduled_tasks?host=/run/postgresql"
    assert deployed.run("psql", "-XAt", "--command=SELECT current_user", url).stdout == f"{SENDER}\n"
    for statement in ("UPDATE incident SET closed_at = now()", "DELETE FROM task_run", "SELECT * FROM booking"):
        done = deployed.run("psql", "--no-psqlrc", f"--command={statement}", url, check=False)
        assert (done.returncode, "permission denied" in done.stderr) == (1, True), (statement, done)
    owned = f"SELECT count(*) FROM pg_class JOIN pg_roles ON relowner = pg_roles.oid WHERE rolname = '{SENDER}'"
    assert query(deployed, owned) == "0"
