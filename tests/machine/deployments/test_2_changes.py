"""Changes of the deployed project: a dry run predicts them, faults stop them, a rollback takes them back."""

from __future__ import annotations

import shutil

import pytest

from tests.machine.controller import SECRET, Controller
from tests.machine.deployments.steps import (
    FIRST,
    NIGHTLY,
    OTHER,
    RECOUNT,
    SETTING,
    STATIC_USER,
    STAY,
    rows,
    set_version,
    state,
    timers,
    version_run,
    wait_for_the_end,
)
from tests.machine.postgresql import Database

pytestmark = pytest.mark.xdist_group("deployments")  # two machines for all of them


def test_a_dry_run_predicts_exactly_what_the_run_then_changes(fleet: Controller) -> None:
    before = {name: state(machine) for name, machine in fleet.machines.items()}
    fleet.replace("shop/clocks/nightly.py", f"hour={FIRST}", f"hour={OTHER}")
    fleet.replace("shop/features.py", "default=True)", 'default=True)\n    RECOUNT = Feature("Recount the stock")')
    fleet.write("shop/migrations/0002_phone.sql", "ALTER TABLE reservation ADD COLUMN phone text;\n")
    options = ("-e", '{"scheduled_tasks_journal_limits": {"SystemMaxUse": "200M"}}')
    predicted = fleet.play("changed job, dry run", "--check", "--diff", *options)
    assert {name: state(machine) for name, machine in fleet.machines.items()} == before
    assert f"-OnCalendar=*-*-* {FIRST:02}:00:00 Europe/Paris" in predicted.output
    assert f"+OnCalendar=*-*-* {OTHER:02}:00:00 Europe/Paris" in predicted.output
    done = fleet.play("changed job", *options)
    assert predicted.changed == done.changed
    everywhere = [
        "install | Create the release",
        "new_config | Write the configuration",
        "host | Create the folder of the journal's limits",
        "host | Limit the journal of the jobs",
        "clocks | Activate the release and its timers",
    ]
    assert done.changed["app2"] == everywhere
    once = ["database | Apply the release's migrations and add missing flags"]
    assert done.changed["app1"] == [*everywhere[:2], *once, *everywhere[2:]]
    assert not (fleet.machines["app1"].root / "opt/.scheduled-tasks-dry-run").exists()


def test_a_running_job_ends_on_its_old_code_and_a_removed_clock_is_gone(fleet: Controller, database: Database) -> None:
    app1 = fleet.machines["app1"]
    (app1.root / STAY).touch()
    app1.run("systemctl", "start", RECOUNT)
    running = app1.run("systemctl", "show", RECOUNT, "--property=MainPID").stdout
    set_version(fleet, 2)
    (fleet.project / "shop/clocks/weekly.py").unlink()
    fleet.play("upgrade while a job runs, one clock fewer")
    assert app1.run("systemctl", "show", RECOUNT, "--property=MainPID").stdout == running
    kept = app1.run("clocks", "prune-releases", "--keep=1", "--check", check=False).stdout
    (app1.root / STAY).unlink()
    wait_for_the_end(app1)
    assert [line["version"] for line in app1.log_lines(RECOUNT) if "version" in line] == ["1", "1", "1"]
    assert version_run(app1) == "2"
    # The release that the job ran can be removed only after the job has ended.
    later = app1.run("clocks", "prune-releases", "--keep=1", "--check", check=False).stdout
    assert [line for line in later.splitlines() if line not in kept.splitlines()] != []
    for machine in fleet.machines.values():
        assert timers(machine) == [*NIGHTLY, "clock-watch.timer"]
    assert rows(database, "SELECT DISTINCT status FROM task_run") == [("ended",)]


UNKNOWN_TASK = """
from scheduled_tasks import Clock
def nowhere(): ...
scheduler = Clock()
scheduler.add_job(nowhere, 'cron', hour=1)
"""


@pytest.mark.parametrize(
    ("files", "faults"),
    [
        pytest.param(
            {"shop/clocks/broken.py": UNKNOWN_TASK, "shop/clocks/raises.py": "1 / 0\n"},
            ("job broken/nowhere", "raises ZeroDivisionError"),
            id="clock files",
        ),
        pytest.param(
            {"shop/migrations/0003_bad.sql": "ALTER TABLE nowhere ADD x int;\n"},
            ("shop.migrations/0003_bad.sql",),
            id="migration",
        ),
    ],
)
def test_a_broken_release_leaves_the_host_as_it_was(
    fleet: Controller, files: dict[str, str], faults: tuple[str, ...]
) -> None:
    app1 = fleet.machines["app1"]
    before = state(app1)
    for path, text in files.items():
        fleet.write(path, text)
    changed = (
        '{"scheduled_tasks_credentials": {"api_key": "new"}, "scheduled_tasks_journal_limits": {"SystemMaxUse": "1G"}}'
    )
    play = fleet.play(f"broken release: {', '.join(files)}", "--limit=app1", "-e", changed, fails=True)
    for path in files:
        (fleet.project / path).unlink()
    assert [fault for fault in faults if fault not in play.output] == []
    assert state(app1) == before
    assert version_run(app1) == "2"


def test_a_rollback_restores_code_and_units_together(fleet: Controller) -> None:
    assert fleet.play("rollback, dry run", "--check", playbook="rollback").changed["app2"] == [
        "rollback | Switch back code, configuration and units"
    ]
    fleet.play("rollback", playbook="rollback")
    for machine in fleet.machines.values():
        assert version_run(machine) == "1"
        assert "clock-weekly-remind.timer" in timers(machine)


def test_a_dry_run_that_fails_on_one_host_leaves_nothing_on_any(fleet: Controller) -> None:
    fleet.write("shop/clocks/extra.py", (fleet.project / "shop/clocks/nightly.py").read_text())
    foreign = fleet.machines["app2"].root / "etc/systemd/system/clock-extra-remind.timer"
    foreign.write_text("[Timer]\nOnCalendar=hourly\n")
    play = fleet.play("dry run, a foreign unit on one host", "--check", fails=True)
    assert "clock-extra-remind.timer: a file that clocks did not make" in play.output
    for machine in fleet.machines.values():
        assert not (machine.root / "opt/.scheduled-tasks-dry-run").exists()
    foreign.unlink()
    (fleet.project / "shop/clocks/extra.py").unlink()


def test_a_clock_on_two_hosts_that_share_no_database_is_rejected(fleet: Controller) -> None:
    # As if Debian's PostgreSQL were installed: otherwise the host is unsuitable while another test's has the port.
    cluster = fleet.machines["app1"].root / "etc/postgresql/15/main/postgresql.conf"
    cluster.parent.mkdir(parents=True)
    cluster.write_text("port = 5432\n")
    local = ("--tags=install", "--limit=app1", "-e", "scheduled_tasks_postgresql_local=true")
    play = fleet.play("a clock on two hosts, no shared database", *local, fails=True)
    shutil.rmtree(cluster.parents[2])
    assert "so nightly would run on several hosts" in " ".join(play.output.split())
    other = {"scheduled_tasks_database_url": f"postgresql://shop:{SECRET}@127.0.0.1/other"}
    fleet.host_variables["app2"] = STATIC_USER | other
    play = fleet.play("a clock on two hosts, each its database", "--limit=app1", "-e", SETTING % "new", fails=True)
    assert "app2 and this host do not share a database" in " ".join(play.output.split())
    fleet.host_variables["app2"] = dict(STATIC_USER)
    for machine in fleet.machines.values():
        assert machine.run("clocks", "plan", check=False).returncode == 0


def test_each_tag_does_its_part_and_the_tag_clocks_activates_it(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    before = state(app1)
    setting = ("--limit=app1", "-e", SETTING % "tagged")
    for tag in ("install", "database", "config"):
        fleet.play(f"--tags={tag}", f"--tags={tag}", *setting)
        assert state(app1) == before
    fleet.play("--tags=clocks", "--tags=clocks", *setting)
    assert state(app1) != before
    assert 'x" = "tagged"' in app1.run("cat", "/etc/scheduled-tasks/config.toml").stdout
    fleet.play("rollback of a setting", "--limit=app1", playbook="rollback")
    assert state(app1) == before


def test_a_deployment_after_a_rollback_goes_forward_and_its_rollback_restores_the_credentials(
    fleet: Controller,
) -> None:
    before = [state(machine) for machine in fleet.machines.values()]
    secret = ("-e", '{"scheduled_tasks_credentials": {"api_key": "new"}}')
    assert fleet.play("forward again, a new credential", *secret).changed["app2"] == [
        "config | Store the credentials",
        "new_config | Write the configuration",
        "clocks | Activate the release and its timers",
    ]
    key = "/etc/scheduled-tasks/credentials/current/api_key"
    assert fleet.machines["app1"].run("cat", key).stdout == "new"
    assert {version_run(machine) for machine in fleet.machines.values()} == {"2"}
    fleet.play("rollback of a credential", playbook="rollback")
    assert [state(machine) for machine in fleet.machines.values()] == before
