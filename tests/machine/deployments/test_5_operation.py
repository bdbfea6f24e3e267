"""The deployed hosts in the hands of operators: the handbook in a login shell, and the removal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.documented import commands
from tests.machine.controller import Controller
from tests.machine.deployments.steps import NIGHTLY, RECOUNT, STAY, rows, timers, wait_for_the_end
from tests.machine.handbook import EDITOR, EDITOR_SCRIPT, placed, typed
from tests.machine.postgresql import Database

pytestmark = pytest.mark.xdist_group("deployments")  # two machines for all of them

# By design: there are findings and changes in a test's machine.
CODES = {"clocks status --bad": {0, 3}, "clocks doctor": {3}}
# Newest first, without those that run-task did by hand, of which the unit's journal has no lines.
RUNS = (
    "SELECT run_id::text FROM task_run WHERE job = 'remind' AND host = 'app2' AND scheduled_at IS NOT NULL"
    " ORDER BY started_at DESC NULLS LAST"
)
NEEDS_NO_ROOT = ("clocks list", "clocks next", "clocks lint")


def test_the_handbooks_commands_run_as_they_stand_in_a_login_shell(fleet: Controller, database: Database) -> None:
    app2 = fleet.machines["app2"]
    (app2.root / EDITOR.lstrip("/")).write_text(EDITOR_SCRIPT)
    (app2.root / EDITOR.lstrip("/")).chmod(0o755)
    app2.run("useradd", "--create-home", "--shell=/bin/bash", "oncall")
    days = [f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}" for days in (6, 4)]
    names = {"TASK": "mail.remind", "FLAG": "SEND_MAIL", "FROM": days[0], "TO": days[1]}
    slots = ("clocks", "backfill", "nightly/remind", "--dry-run", "--json", "--from", days[1], "--to", "2d")
    names["SLOT"] = json.loads(app2.run(*slots).stdout)["slots"][0].replace(" ", "T")
    lines = [line for line in commands("how-to/operate.md", "machine") if "AGENT" not in line]
    assert len(lines) > 25
    for line in lines:
        if found := rows(database, RUNS):
            names["RUN"] = str(found[0][0])
        command = typed(placed(line, "nightly", "remind", **names))
        done = app2.run("su", "--login", "root", "--command", command, check=False)
        assert done.returncode in CODES.get(line, {0}), f"{command}: {done}"
        if line.split()[0] in {"clocks", "run-task"}:
            done = app2.run("su", "--login", "oncall", "--command", command, check=False)
            expected = 0 if line.startswith(NEEDS_NO_ROOT) else 77 if line.startswith("clocks") else 78
            assert (done.returncode, "Traceback" in done.stderr) == (expected, False), f"{command}: {done}"
    app2.run("systemctl", "revert", "clock-nightly-remind.service")
    app2.run("userdel", "--remove", "oncall")
    (app2.root / EDITOR.lstrip("/")).unlink()


def test_three_releases_are_kept(fleet: Controller) -> None:
    for machine in fleet.machines.values():
        kept = [path for path in (machine.root / "opt/scheduled-tasks/releases").iterdir() if path.is_dir()]
        assert len(kept) == 3


def test_a_removal_waits_for_a_running_job_and_keeps_its_code(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    (app1.root / STAY).touch()
    app1.run("systemctl", "start", RECOUNT)
    options = ("--limit=app1", "-e", "scheduled_tasks_remove_timeout=1")
    play = fleet.play("remove while a job runs", *options, playbook="remove", fails=True)
    assert f"these jobs still run, so their code was kept: {RECOUNT}" in " ".join(play.output.split())
    (app1.root / STAY).unlink()
    wait_for_the_end(app1)
    assert [line["version"] for line in app1.log_lines(RECOUNT) if "version" in line][-1] == "4"


def test_a_removal_leaves_no_trace_but_the_database(fleet: Controller, database: Database) -> None:
    predicted = fleet.play("remove, dry run", "--check", playbook="remove").changed
    assert timers(fleet.machines["app2"]) == [*NIGHTLY, "clock-watch.timer"]
    assert fleet.play("remove", playbook="remove").changed == predicted
    for machine in fleet.machines.values():
        find = (
            "find / -xdev -name '*scheduled[-_]tasks*' -o -xdev -name '*clock-*' -newer /etc/hostname | grep -v ^/proc"
        )
        assert machine.run("sh", "-c", find, check=False).stdout == ""
        in_run = ("find", "/run", "-path", "/run/systemd/units", "-prune", "-o", "-name", "*scheduled-tasks*", "-print")
        assert machine.run(*in_run).stdout == ""
        assert not any((machine.root / "usr/local/bin" / name).exists() for name in ("clocks", "run-task"))
        assert machine.run("find", "/usr/local/share", "-name", "*clocks*").stdout == ""
        assert machine.run("id", "shop", check=False).returncode == 1
        assert timers(machine) == []
    assert rows(database, "SELECT count(*) > 0 FROM task_run") == [(True,)]
    assert fleet.play("remove again", playbook="remove").changed == {"app1": [], "app2": []}
