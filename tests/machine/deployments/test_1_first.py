"""The first deployment of two fresh hosts, and what the jobs there can do."""

from __future__ import annotations

import json

import pytest

from tests.machine.controller import Controller
from tests.machine.deployments.steps import DEPLOYED, NIGHTLY, RECOUNT, rows, state, timers, version_run
from tests.machine.machine import Machine
from tests.machine.postgresql import OPERATORS, TASKS, Database
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("deployments")  # two machines for all of them

PRY = "srv/pry.py"


def test_a_dry_run_on_a_fresh_host_names_what_it_lacks_and_changes_nothing(fleet: Controller) -> None:
    play = fleet.play("dry run on fresh hosts", "--check", "--diff")
    assert play.changed == {host: ["packages | Install missing packages"] for host in ("app1", "app2")}
    assert "This host lacks python3 python3-venv, so the dry run ends here" in " ".join(play.output.split())
    assert fleet.machines["app1"].run("sh", "-c", "command -v python3", check=False).stdout == ""


def test_a_host_without_bootstrap_reports_the_packages_it_lacks(fleet: Controller) -> None:
    play = fleet.play("fresh host, no packages", "-e", "scheduled_tasks_bootstrap=false", fails=True)
    assert "run 'apt-get install python3 python3-venv' on it" in " ".join(play.output.split())


def completed(machine: Machine, line: str) -> list[str]:
    """What a login shell's bash-completion is offered for the last word of a line."""
    words = f"COMP_WORDS=({line}) COMP_CWORD={line.count(' ')}"
    script = f"{words}; . /usr/local/share/bash-completion/completions/clocks; _clocks_completion clocks"
    printed = machine.run("bash", "-c", f'{script}; printf "%s\\n" "${{COMPREPLY[@]}}"').stdout
    return printed.split()


def test_one_command_deploys_fresh_hosts(fleet: Controller, database: Database) -> None:
    fleet.play("first deploy")
    for machine in fleet.machines.values():
        assert timers(machine) == [*NIGHTLY, "clock-watch.timer", "clock-weekly-remind.timer"]
        shown = machine.run("stat", "--dereference", "--format=%n=%a %U %G", *DEPLOYED).stdout.splitlines()
        assert dict(line.split("=") for line in shown) == DEPLOYED
        assert version_run(machine) == "1"
        assert machine.run("clocks", "check").stdout == "ok: this release can be activated here\n"
        assert machine.run("clocks", "plan").stdout == "nothing to do: the timers match the clock files\n"
        assert completed(machine, "clocks run nightly/rec") == ["nightly/recount"]
        [run] = json.loads(machine.run("clocks", "history", "--limit=1", "--json").stdout)
        assert run["run_id"][:8] in completed(machine, "clocks show ")
    assert rows(database, "SELECT host, status FROM task_run ORDER BY host") == [
        ("app1", "ended"),
        ("app2", "ended"),
    ]
    assert rows(database, "SELECT name, is_active FROM feature") == [("SEND_MAIL", True)]
    known = "SELECT DISTINCT host, deployed_by FROM deployed_job ORDER BY host"
    both = [("app1", "root"), ("app2", "root")]
    wait_for("the watches' reports of who has deployed", lambda: rows(database, known) == both)


# What a task of ill will tries with what it has.
PRYING = """
import os
import psycopg
from scheduled_tasks import setting

def attempt(act):
    try:
        return repr(act())
    except Exception as error:
        return type(error).__name__

statements = (
    "UPDATE feature SET is_active = NOT is_active",
    "DROP TABLE task_run",
    "DELETE FROM task_run",
    "ALTER TABLE reservation ADD spoiled int",
    "SET ROLE shop_operators",
)
found = {}
with psycopg.connect(setting("database_url"), autocommit=True) as connection:
    found["role"] = connection.execute("SELECT current_user").fetchone()[0]
    found["TLS"] = connection.pgconn.ssl_in_use
    connection.execute("INSERT INTO reservation (customer) VALUES ('a task')")
    for statement in statements:
        found[statement] = attempt(lambda: connection.execute(statement).rowcount)
for name, folder in (
    ("deployed", "/etc/scheduled-tasks/credentials/current"),
    ("own", os.environ["CREDENTIALS_DIRECTORY"]),
):
    found[name] = attempt(lambda: open(folder + "/operators_database_url").read())
found["copies"] = attempt(lambda: os.listdir("/run/scheduled-tasks/secrets"))
found["setting"] = attempt(lambda: setting("operators_database_url"))
logging.getLogger(__name__).info("pried", extra={"found": found})
"""


def test_jobs_have_the_role_of_the_tasks_and_only_the_watch_that_of_operators(
    fleet: Controller, database: Database
) -> None:
    for machine in fleet.machines.values():
        (machine.root / PRY).write_text(PRYING)
        version_run(machine)
        (machine.root / PRY).unlink()
        [found] = [line["found"] for line in machine.log_lines(RECOUNT) if "found" in line]
        assert found == {
            "role": TASKS,
            "TLS": True,
            "UPDATE feature SET is_active = NOT is_active": "InsufficientPrivilege",
            "DROP TABLE task_run": "InsufficientPrivilege",
            "DELETE FROM task_run": "InsufficientPrivilege",
            "ALTER TABLE reservation ADD spoiled int": "InsufficientPrivilege",
            "SET ROLE shop_operators": "InsufficientPrivilege",
            "deployed": "PermissionError",
            "own": "FileNotFoundError",
            "copies": "FileNotFoundError",
            "setting": "ConfigurationError",
        }
        machine.run("systemctl", "start", "--wait", "clock-watch.service")
        findings = json.loads(machine.run("clocks", "doctor", "--json", check=False).stdout)
        assert [finding for finding in findings if "database" in finding["where"]] == []
    owners = rows(database, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = current_schema()")
    assert owners == [(OPERATORS,)]
    assert rows(database, "SELECT customer FROM reservation") == [("a task",), ("a task",)]
    assert rows(database, "SELECT count(*) FROM host WHERE heartbeat_at > now() - interval '2 min'") == [(2,)]


def test_in_a_foreign_project_the_commands_of_a_host_run_none_of_its_code(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    folder = app1.root / "srv/foreign"
    (folder / "shop/tasks").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.scheduled_tasks]\ndomains = "shop.tasks"\nclocks = "shop.clocks"\n')
    (folder / "shop/__init__.py").write_text("open('/srv/foreign/ran', 'w')\n")
    for command in ("clocks", "/opt/scheduled-tasks/current/bin/clocks"):
        assert "nightly" in app1.run("sh", "-c", f"cd /srv/foreign && {command} list").stdout
    for command in ("run-task", "/opt/scheduled-tasks/current/bin/run-task"):
        done = app1.run("sh", "-c", f"cd /srv/foreign && {command} stock.recoun", check=False)
        assert (done.returncode, "did you mean stock.recount?" in done.stdout + done.stderr) == (64, True)
    assert not (folder / "ran").exists()


def test_a_second_run_changes_nothing(fleet: Controller) -> None:
    before = {name: state(machine) for name, machine in fleet.machines.items()}
    assert fleet.play("no change").changed == {"app1": [], "app2": []}
    assert fleet.play("no change, dry run", "--check", "--diff").changed == {"app1": [], "app2": []}
    assert {name: state(machine) for name, machine in fleet.machines.items()} == before
