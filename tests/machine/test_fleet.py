"""Two fresh hosts, Debian 13 and 12, through the life of a user's own project: the role as docs/how-to/deploy.md says.

The project is `shop`, the role comes with the collection, built and installed from its file. The hosts share a
database. Each test is a step, and follows the one before.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.documented import commands
from tests.machine.controller import REPOSITORY, SECRET, SHOP, Controller, set_up, wheelhouse
from tests.machine.handbook import EDITOR, EDITOR_SCRIPT, placed, typed
from tests.machine.machine import Machine, booted, rebooted
from tests.machine.postgresql import OPERATORS, TASKS, Database, postgresql
from tests.machine.waiting import wait_for
from tests.roots import debian_12, debian_13

pytestmark = pytest.mark.xdist_group("fleet")  # two machines for all of them

RECOUNT = "clock-nightly-recount.service"
NIGHTLY = ["clock-nightly-recount.timer", "clock-nightly-remind.timer"]
# The clocks' hours, and the one to change to: such that nothing falls due of itself while the tests run.
FIRST, SECOND, OTHER = (3, 4, 5) if 6 <= datetime.now(ZoneInfo("Europe/Paris")).hour < 22 else (13, 14, 15)
STAY, PRY = "srv/stay", "srv/pry.py"
STATIC_USER: dict[str, object] = {
    "scheduled_tasks_user": "shop"
}  # of one host; on the other each job has a user of its own
SETTING = '{"scheduled_tasks_settings": {"x": "%s"}}'
TABLE = REPOSITORY / ".cache/fleet.txt"  # what each play took, for people
DEPLOYED = {
    "/opt/scheduled-tasks": "755 root root",
    "/opt/scheduled-tasks/releases": "755 root root",
    "/etc/scheduled-tasks": "755 root root",
    "/etc/scheduled-tasks/config.toml": "644 root root",
    "/etc/scheduled-tasks/credentials": "700 root root",
    "/etc/scheduled-tasks/credentials/current": "700 root root",
    "/etc/scheduled-tasks/credentials/current/database_url": "600 root root",
    "/etc/scheduled-tasks/credentials/current/operators_database_url": "600 root root",
    "/usr/local/bin/clocks": "755 root root",
    "/usr/local/bin/run-task": "755 root root",
    "/usr/local/share/man/man1/clocks.1": "644 root root",
    "/usr/local/share/man/man1/run-task.1": "644 root root",
    "/usr/local/share/bash-completion/completions/clocks": "644 root root",
    "/usr/local/share/zsh/site-functions/_clocks": "644 root root",
    "/usr/local/share/fish/vendor_completions.d/clocks.fish": "644 root root",
}


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """The hosts' database, which they reach by TCP and TLS."""
    with postgresql(SECRET) as database:
        yield database


@pytest.fixture(scope="module")
def fleet(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """The controller, and two hosts as debootstrap makes them."""
    folder = tmp_path_factory.mktemp("controller")
    variables: dict[str, object] = {
        **database.variables,
        "scheduled_tasks_wheelhouse": str(wheelhouse(SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt")),
        "scheduled_tasks_cache": str(folder / "cache"),
        "scheduled_tasks_require_synchronised_clock": False,  # it is the test machine's
    }
    with booted("app1", debian_13()) as app1, booted("app2", debian_12()) as app2:
        database.introduce_to(app1, app2)
        controller = set_up(folder, {"app1": app1, "app2": app2}, variables, {"app2": dict(STATIC_USER)})
        controller.replace("shop/clocks/nightly.py", "hour=4", f"hour={SECOND}")
        controller.replace("shop/clocks/nightly.py", "hour=3", f"hour={FIRST}")
        controller.replace("shop/clocks/weekly.py", "hour=8", f"hour={FIRST}")
        yield controller
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(controller.show_table() + "\n")
        print(f"\n{controller.show_table()}")  # noqa: T201 - `pytest -s` shows it


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.administrator) as connection:
        return connection.execute(sql.encode()).fetchall()


def timers(machine: Machine) -> list[str]:
    listed = machine.run("systemctl", "list-timers", "--no-legend", "--plain", "--no-pager", "clock-*").stdout
    return sorted(word for line in listed.splitlines() for word in line.split() if word.endswith(".timer"))


def state(machine: Machine) -> str:
    """What is current on a host: code, configuration, credentials, units, when each job is due, and the journal."""
    opt, etc = "/opt/scheduled-tasks", "/etc/scheduled-tasks"
    links = f"readlink {opt}/current {etc}/config.toml {etc}/units/current"
    shown = "systemctl show 'clock-*-*.timer' --property=Id,ActiveState,NeedDaemonReload,NextElapseUSecRealtime"
    drop_in = f"cat {etc}/units/current/clock-.service.d/10-every-job.conf"
    secrets = f"cd {etc}/credentials/current && sha256sum *"
    journal = "systemctl show systemd-journald --property=MainPID; ls /etc/systemd/journald.conf.d || true"
    return machine.run("sh", "-ec", f"{links}; {drop_in}; {shown}; {journal}; {secrets}").stdout


def version_run(machine: Machine) -> str:
    """The project's version in a run that starts now."""
    machine.run("systemctl", "start", "--wait", RECOUNT)
    return [str(line["version"]) for line in machine.log_lines(RECOUNT) if "version" in line][-1]


def set_version(fleet: Controller, version: int) -> None:
    fleet.write("shop/version.py", f'VERSION = "{version}"\n')


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
for path in (
    "/etc/scheduled-tasks/credentials/current/operators_database_url",
    os.environ["CREDENTIALS_DIRECTORY"] + "/operators_database_url",
):
    found[os.path.dirname(path).rpartition("/")[2]] = attempt(lambda: open(path).read())
found["secrets"] = attempt(lambda: os.listdir("/run/scheduled-tasks/secrets"))
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
            "current": "PermissionError",
            "secrets": "FileNotFoundError",
            "credentials": "FileNotFoundError",
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
        "config | Write the configuration",
        "host | Create the folder of the journal's limits",
        "host | Limit the journal of the jobs",
        "clocks | Activate the release and its timers",
    ]
    assert done.changed["app2"] == everywhere
    once = ["database | Apply the release's migrations", "database | Add missing flags"]
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
    wait_for("the job's end", lambda: app1.run("systemctl", "is-active", RECOUNT, check=False).returncode)
    assert [line["version"] for line in app1.log_lines(RECOUNT) if "version" in line] == ["1", "1", "1"]
    assert version_run(app1) == "2"
    # The release that the job ran can be removed only after the job has ended.
    later = app1.run("clocks", "prune-releases", "--keep=1", "--check", check=False).stdout
    assert [line for line in later.splitlines() if line not in kept.splitlines()] != []
    for machine in fleet.machines.values():
        assert timers(machine) == [*NIGHTLY, "clock-watch.timer"]
    assert rows(database, "SELECT DISTINCT status FROM task_run") == [("ended",)]


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        pytest.param(
            "shop/clocks/broken.py",
            "from scheduled_tasks import Clock\ndef nowhere(): ...\nscheduler = Clock()\n"
            "scheduler.add_job(nowhere, 'cron', hour=1)\n",
            "job broken/nowhere",
            id="unknown task",
        ),
        pytest.param("shop/clocks/broken.py", "1 / 0\n", "raises ZeroDivisionError", id="a clock file that raises"),
        pytest.param(
            "shop/migrations/0003_bad.sql",
            "ALTER TABLE nowhere ADD x int;\n",
            "shop.migrations/0003_bad.sql",
            id="bad migration",
        ),
    ],
)
def test_a_broken_release_leaves_the_host_as_it_was(fleet: Controller, path: str, text: str, fault: str) -> None:
    app1 = fleet.machines["app1"]
    before = state(app1)
    fleet.write(path, text)
    changed = (
        '{"scheduled_tasks_credentials": {"api_key": "new"}, "scheduled_tasks_journal_limits": {"SystemMaxUse": "1G"}}'
    )
    play = fleet.play(f"broken release: {Path(path).name}", "--limit=app1", "-e", changed, fails=True)
    (fleet.project / path).unlink()
    assert fault in play.output
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
    fleet.play("forward again")
    assert {version_run(machine) for machine in fleet.machines.values()} == {"2"}


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
    local = ("--tags=install", "--limit=app1", "-e", "scheduled_tasks_postgresql_local=true")
    play = fleet.play("a clock on two hosts, no shared database", *local, fails=True)
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
    fleet.play("without the setting", "--limit=app1")
    assert state(app1) == before


def test_a_rollback_restores_a_credential(fleet: Controller) -> None:
    before = [state(machine) for machine in fleet.machines.values()]
    secret = ("-e", '{"scheduled_tasks_credentials": {"api_key": "new"}}')
    assert fleet.play("a new credential", *secret).changed["app2"] == [
        "config | Store the credentials",
        "config | Write the configuration",
        "clocks | Activate the release and its timers",
    ]
    key = "/etc/scheduled-tasks/credentials/current/api_key"
    assert fleet.machines["app1"].run("cat", key).stdout == "new"
    fleet.play("rollback of a credential", playbook="rollback")
    assert [state(machine) for machine in fleet.machines.values()] == before


@contextmanager
def that_cannot_switch(machine: Machine) -> Iterator[None]:
    """A host on which preparing succeeds and the switch does not."""
    machine.run("mount", "--bind", "/etc/scheduled-tasks/units", "/etc/scheduled-tasks/units")
    machine.run("mount", "-o", "remount,bind,ro", "/etc/scheduled-tasks/units")
    yield
    machine.run("umount", "/etc/scheduled-tasks/units")


def test_if_the_first_host_fails_no_other_is_touched(fleet: Controller) -> None:
    app1, app2 = fleet.machines["app1"], fleet.machines["app2"]
    before = [state(app1), state(app2)]
    set_version(fleet, 3)
    with that_cannot_switch(app1):
        play = fleet.play("the first of two hosts fails", fails=True)
    assert "Read-only file system" in play.output
    assert "clocks | Activate the release and its timers" not in play.changed["app2"]
    assert [state(app1), state(app2)] == before
    assert [version_run(machine) for machine in (app1, app2)] == ["2", "2"]


def test_if_a_later_host_fails_it_stays_as_it_was_and_earlier_hosts_are_done(fleet: Controller) -> None:
    app1, app2 = fleet.machines["app1"], fleet.machines["app2"]
    before = state(app2)
    with that_cannot_switch(app2):
        play = fleet.play("the second of two hosts fails", fails=True)
    assert "Read-only file system" in play.output
    assert state(app2) == before
    assert [version_run(machine) for machine in (app1, app2)] == ["3", "2"]
    assert fleet.play("both hosts succeed").changed["app1"] == []
    assert version_run(app2) == "3"


def test_manual_changes_are_reverted(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    app1.run("sh", "-ec", "cd /etc/scheduled-tasks; chmod 600 $(readlink -f config.toml); chmod 755 credentials")
    app1.run("sh", "-ec", "echo '# mine' >>/usr/local/bin/clocks")
    mended = [
        "config | Create the folders of the configuration",
        "config | Write the configuration",
        "host | Install the operator's commands",
    ]
    assert fleet.play("mended by hand, dry run", "--limit=app1", "--check").changed == {"app1": mended}
    assert fleet.play("mended by hand", "--limit=app1").changed == {"app1": mended}
    shown = app1.run("stat", "--dereference", "--format=%n=%a %U %G", *DEPLOYED).stdout.splitlines()
    assert dict(line.split("=") for line in shown) == DEPLOYED


def test_the_jobs_have_a_journal_of_their_own_on_request(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    limited = '{"scheduled_tasks_journal_namespace": "jobs", "scheduled_tasks_journal_limits": {"SystemMaxUse": "50M"}}'
    done = fleet.play("a journal namespace", "--limit=app1", "-e", limited)
    assert "host | Limit the journal of the jobs" in done.changed["app1"]
    lines = app1.run("clocks", "run", "nightly/recount", "--wait").stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines if "status" in json.loads(line)] == ["started", "ended"]
    assert app1.run("journalctl", "--namespace=jobs", "--output=cat", f"--unit={RECOUNT}").stdout.splitlines() == lines
    usage = app1.run("journalctl", "--namespace=jobs", "--unit=systemd-journald@jobs.service", "--output=cat").stdout
    assert "max 50M" in usage
    [run] = json.loads(app1.run("clocks", "history", "nightly/recount", "--limit=1", "--json").stdout)
    assert "ended" in "".join(json.loads(app1.run("clocks", "show", run["run_id"], "--json").stdout)["log_lines"])
    unlimited = '{"scheduled_tasks_journal_namespace": "jobs", "scheduled_tasks_journal_limits": {}}'
    done = fleet.play("without its limits", "--limit=app1", "-e", unlimited)
    assert done.changed["app1"] == ["host | Remove the journal limits of an earlier deployment"]


def test_a_controller_killed_half_way_leaves_a_state_that_the_next_run_completes(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    before = state(app1)
    set_version(fleet, 4)
    releases = app1.root / "opt/scheduled-tasks/releases"

    def is_half_way() -> bool:
        return any(not (path / ".complete").exists() for path in releases.iterdir() if path.is_dir())

    with fleet.started("--limit=app1") as process:
        wait_for("a release that is being made", is_half_way)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert state(app1) == before
    assert version_run(app1) == "3"
    fleet.play("after a controller that was killed", "--limit=app1")
    assert version_run(app1) == "4"


def runs_of_app1(database: Database) -> dict[str, int]:
    sql = "SELECT job, count(*) FROM task_run WHERE host = 'app1' AND clock = 'nightly' GROUP BY job"
    return {str(job): int(str(count)) for job, count in rows(database, sql)}


def test_after_a_reboot_the_timers_are_there_and_each_missed_job_is_caught_up_once(
    fleet: Controller, database: Database
) -> None:
    before = runs_of_app1(database)
    app1 = fleet.machines["app1"]
    app1.run("touch", "--date=3 days ago", *[f"/var/lib/systemd/timers/stamp-{timer}" for timer in NIGHTLY])
    fleet.machines["app1"] = app1 = rebooted(app1)
    assert timers(app1) == [*NIGHTLY, "clock-watch.timer"]
    caught_up = {"recount": before["recount"] + 1, "remind": before.get("remind", 0) + 1}
    wait_for("a run of each", lambda: runs_of_app1(database) == caught_up)
    # No start is queued any more, so no job runs a second time.
    wait_for("their ends", lambda: not app1.run("systemctl", "list-jobs", "--no-legend").stdout)
    assert fleet.play("no change after a reboot", "--limit=app1").changed == {"app1": []}
    assert runs_of_app1(database) == caught_up


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
    wait_for("the job's end", lambda: app1.run("systemctl", "is-active", RECOUNT, check=False).returncode)
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
        assert not any((machine.root / "usr/local/bin" / name).exists() for name in ("clocks", "run-task"))
        assert machine.run("find", "/usr/local/share", "-name", "*clocks*").stdout == ""
        assert machine.run("id", "shop", check=False).returncode == 1
        assert timers(machine) == []
    assert rows(database, "SELECT count(*) > 0 FROM task_run") == [(True,)]
    assert fleet.play("remove again", playbook="remove").changed == {"app1": [], "app2": []}
