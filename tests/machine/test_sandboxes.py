"""Jobs that can't start or reach their database from inside their sandbox are found before a set becomes current."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.fleet import CONFIG, ETC, FOLDER, Fleet, two_machines
from tests.roots import debian_13

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("sandboxes")  # one machine with each systemd for all of them
CHANGES_PENDING = 2
JOB = 'scheduler.add_job(work, "cron", ["never"], id="{id}", year={year}{options})'


@pytest.fixture(scope="module", params=["this machine's", "Debian 13's"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    with two_machines("app1", base=debian_13() if request.param == "Debian 13's" else Path("/")) as one:
        one.write(one=JOB.format(id="first", year=2100, options=""))
        assert one.ask("app1", "apply")["changed"]
        yield one


@pytest.fixture(autouse=True)
def nothing_ran(fleet: Fleet) -> Iterator[None]:
    """However a trial ends, no job was started, and nothing of the trial is left."""
    current = (fleet.machines["app1"].root / f"{ETC}/units/current".lstrip("/")).readlink()
    yield
    assert fleet.query("SELECT * FROM task_run") == []
    assert fleet.query("SELECT * FROM effect") == []
    machine = fleet.machines["app1"]
    left = machine.run("sh", "-c", "ls /run/systemd/system /run/scheduled-tasks | grep -i trial || true").stdout
    failed = machine.run("systemctl", "list-units", "--failed", "--no-legend", "scheduled-tasks-trial*").stdout
    assert (left, failed) == ("", "")
    assert (machine.root / f"{ETC}/units/current".lstrip("/")).readlink() == current


def refused(fleet: Fleet, **clocks: str) -> str:
    """What an apply of these clocks says, which must refuse them, as `clocks check` and `clocks plan` must."""
    fleet.write(**clocks)
    done = {command: fleet.clocks("app1", command, check=False) for command in ("apply", "check", "plan")}
    assert {command: answer.returncode for command, answer in done.items()} == dict.fromkeys(done, 65), done
    problem = done["apply"].stderr
    for line in problem.splitlines()[1:]:
        assert line in done["check"].stdout
        assert line in done["plan"].stderr
    return problem


def faults(fleet: Fleet) -> list[str]:
    """What `clocks check` finds in sandboxes: this fleet's owner runs the jobs, which is a fault of its own."""
    return [fault for fault in fleet.ask("app1", "check")["faults"] if "the tasks' role" not in fault]


def trials(fleet: Fleet) -> int:
    """How many trials were started on the machine so far."""
    command = "journalctl --output=cat --unit='scheduled-tasks-trial*' | grep -c Starting || true"
    return int(fleet.machines["app1"].run("sh", "-c", command).stdout)


def test_a_sandbox_that_passed_is_not_tried_again(fleet: Fleet) -> None:
    before = trials(fleet)
    assert before >= 1
    fleet.write(
        one=JOB.format(id="first", year=2100, options=""),
        two=JOB.format(id="second", year=2101, options=", memory_max='300M', nice=3"),
    )
    assert faults(fleet) == []
    assert fleet.clocks("app1", "plan", check=False).returncode == 2
    assert trials(fleet) == before


def test_a_folder_that_the_jobs_user_cannot_enter_is_found(fleet: Fleet) -> None:
    machine = fleet.machines["app1"]
    machine.run("chmod", "700", FOLDER)
    try:
        clock = JOB.format(id="first", year=2100, options=", environment={'TRIED': 'folder'}")
        assert f"its user can't enter {FOLDER}: chmod a+x {FOLDER}" in refused(fleet, one=clock)
    finally:
        machine.run("chmod", "755", FOLDER)


def test_each_job_that_could_not_start_or_reach_its_database_is_found(fleet: Fleet) -> None:
    """A folder and a user that don't exist, and a database that refuses the job."""
    options = {
        "folder": ", read_write_paths=['/srv/nowhere']",
        "user": ", user='gone'",
        "database": ", environment={'PGOPTIONS': '-c nonsense=1'}",
    }
    problem = refused(fleet, one="\n".join(JOB.format(id=job, year=2100, options=options[job]) for job in options))
    assert "job one/folder: inside the sandbox, its file system can't be set up: create /srv/nowhere" in problem
    assert "job one/user: inside the sandbox, its user doesn't exist" in problem
    assert "job one/database: inside the sandbox, PostgreSQL is unreachable" in problem
    assert 'unrecognized configuration parameter "nonsense"' in problem


def test_jobs_without_any_database_are_refused_unless_they_run_without_it(fleet: Fleet) -> None:
    config = fleet.machines["app1"].root / f"{ETC}/config.toml".lstrip("/")
    config.write_text(CONFIG.replace('"database_url"', ""))
    try:
        fleet.write(one=JOB.format(id="first", year=2100, options=""))
        done = fleet.clocks("app1", "apply", check=False)
        assert (done.returncode, "no database is configured" in done.stderr) == (65, True), done.stderr
        assert "scheduled_tasks_database_url" in done.stderr
        fleet.write(one=JOB.format(id="first", year=2100, options=", on_database_error='run'"))
        answer: Any = fleet.ask("app1", "check")
        assert [fault for fault in answer["faults"] if "sandbox" in fault] == []
        assert "no database is configured" in "".join(answer["warnings"])
    finally:
        config.write_text(CONFIG)


def test_missing_credentials_are_found(fleet: Fleet) -> None:
    config = fleet.machines["app1"].root / f"{ETC}/config.toml".lstrip("/")
    config.write_text(CONFIG.replace('"database_url"', '"database_url", "api_key"'))
    try:
        problem = refused(fleet, one=JOB.format(id="first", year=2100, options=""))
        assert f"its credentials can't be loaded: these files must exist: {ETC}/credentials/api_key" in problem
    finally:
        config.write_text(CONFIG)


def test_a_clock_with_a_role_of_its_own_needs_a_credential_of_its_own(fleet: Fleet) -> None:
    etc = fleet.machines["app1"].root / ETC.lstrip("/")
    own, clocks = etc / "credentials/one.database_url", {"one": "first", "two": "second"}
    roles = CONFIG + 'clock_roles = {one = "night"}\n'
    (etc / "config.toml").write_text(roles)
    files = {clock: JOB.format(id=job, year=2100, options="") for clock, job in clocks.items()}
    try:
        assert "clock one: the PostgreSQL role of its jobs is postgres, but only night can" in refused(fleet, **files)
        (etc / "config.toml").write_text(roles.replace('"database_url"', '"database_url", "one.database_url"'))
        own.write_text(fleet.url.replace("postgres@", "night@"))
        assert "inside the sandbox, PostgreSQL is unreachable" in refused(fleet, **files)
        fleet.query("CREATE ROLE night LOGIN")
        assert faults(fleet) == []
        assert fleet.clocks("app1", "plan", check=False).returncode == CHANGES_PENDING
        (etc / "config.toml").write_text(roles.replace('"database_url"', '"database_url", "once.database_url"'))
        done = fleet.clocks("app1", "check", check=False)
        assert "credentials: there is no clock 'once'; write one" in done.stdout + done.stderr
    finally:
        (etc / "config.toml").write_text(CONFIG)
        own.unlink(missing_ok=True)


def test_an_outage_of_the_database_keeps_no_deploy_from_going_on(fleet: Fleet) -> None:
    credential = fleet.machines["app1"].root / f"{ETC}/credentials/database_url".lstrip("/")
    credential.write_text("postgresql://postgres@127.0.0.1:1/postgres")
    try:
        fleet.write(one=JOB.format(id="other", year=2100, options=""))
        done = fleet.clocks("app1", "plan", check=False)
        assert (done.returncode, "PostgreSQL doesn't answer this host either" in done.stderr) == (2, True), done.stderr
    finally:
        credential.write_text(fleet.url)
