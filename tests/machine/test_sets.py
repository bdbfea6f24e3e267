"""Rollbacks, removals and rejected applies on a booted machine."""

from __future__ import annotations

import json

import pytest

from tests.machine.project import FAR_HOUR, FOLDER, LATER_HOUR, RUNS, SmallProject, at, write_local
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("sets")

STAMP = "/var/lib/systemd/timers/stamp-clock-one-kept.timer"
TIMERS = {"clock-one-kept.timer", "clock-one-plain.timer"}


@pytest.fixture(autouse=True)
def applied(project: SmallProject) -> None:
    """A clock with a persistent and a plain timer, both due in half a day."""
    project.clocks("remove", "--all")
    project.machine.run("systemctl", "stop", "clock-*.service")
    project.reset()
    project.write(one={"kept": (at(43_200), True), "plain": (at(43_200), False)})
    project.apply()


def listed(project: SmallProject, *options: str) -> set[str]:
    """The units that systemd has in memory, with these options of `systemctl list-units`."""
    printed = project.machine.run("systemctl", "list-units", "--plain", "--no-legend", *options, "clock-*").stdout
    return {line.split()[0] for line in printed.splitlines()}


@pytest.mark.parametrize(
    ("last_run", "stays"), [("-1 minute", True), ("-2 days", False)], ids=["nothing missed", "a run missed"]
)
def test_a_rollback_restores_removed_units_with_their_stamps_and_starts_nothing(
    project: SmallProject, last_run: str, *, stays: bool
) -> None:
    project.write()
    assert set(project.apply()["stopped"]) == {*TIMERS, "clock-one.target"}
    project.machine.run("touch", f"--date={last_run}", STAMP)
    before = project.machine.run("stat", "--format=%Y", STAMP).stdout
    project.clocks("rollback")
    assert listed(project, "--state=active", "--type=timer") == TIMERS
    assert (project.machine.run("stat", "--format=%Y", STAMP).stdout == before) is stays
    assert project.runs() == []


def test_remove_all_leaves_no_trace_and_lets_a_running_job_end(project: SmallProject) -> None:
    foreign = "/etc/systemd/system/clock-sync.timer"
    text = "[Timer]\\nUnit=systemd-tmpfiles-clean.service\\nOnCalendar=*-*-* 03:00:00\\n"
    project.machine.run("sh", "-c", f"printf '{text}' >{foreign}; systemctl start clock-sync.timer")
    project.hold()
    project.machine.run("systemctl", "start", "clock-one-kept.service")
    wait_for("the start", lambda: project.runs() == ["start kept"])
    project.clocks("remove", "--all")
    assert project.machine.run("ls", "/run/scheduled-tasks").stdout.split() == ["lock"]  # while a job runs
    project.release()
    wait_for("the end", lambda: project.runs() == ["start kept", "end kept"])
    ours = {"--all", "--type=timer,service,target"}
    wait_for("systemd to unload it", lambda: listed(project, *ours) == {"clock-sync.timer"})
    left = "find /etc/scheduled-tasks /etc/systemd/system /var/lib/systemd/timers /run/scheduled-tasks -name '*clock-*'"
    assert set(project.machine.run("sh", "-c", f"{left} || true").stdout.split()) == {
        foreign, "/etc/systemd/system/clock-.service.d",
    }  # fmt: skip
    assert project.clocks("remove", "--all").stdout == "already up to date\n"
    assert (
        project.machine.run(
            "sh",
            "-c",
            "ls -d /run/scheduled-tasks /var/lib/scheduled-tasks /var/lib/private/scheduled-tasks "
            "/etc/scheduled-tasks /run/systemd/system/clock*",
            check=False,
        ).stdout
        == ""
    )
    project.machine.run("sh", "-c", f"systemctl stop clock-sync.timer; rm {foreign}")


def test_remove_all_removes_pauses_locks_and_failed_states(project: SmallProject) -> None:
    project.write("concurrency=1", one={"kept": (f"hour={FAR_HOUR}", True)}, two={"breaks": (f"hour={FAR_HOUR}", True)})
    project.apply()
    breaks = "/run/systemd/system/clock-two-breaks.service.d"
    script = (
        f"mkdir {breaks}; printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >{breaks}/99.conf\n"
        "systemctl daemon-reload; systemctl start --wait clock-two-breaks.service clock-one-kept.service\n"
        f"rm -r {breaks}; cd /run/scheduled-tasks; mkdir start-requests; touch start-requests/clock-one-kept\n"
    )
    project.machine.run("sh", "-c", script)
    project.clocks("pause", "one/kept", "--here", "--reason", "a test")
    assert listed(project, "--state=failed") == {"clock-two-breaks.service"}
    project.machine.run("ls", "/run/scheduled-tasks/one/door", "/etc/scheduled-tasks/paused/one.kept")
    project.clocks("remove", "--all")
    assert listed(project, "--all", "--type=timer,service,target") == set()
    left = project.machine.run("find", "/run", "/etc", "/var/lib", "-path", "*scheduled-tasks*", check=False).stdout
    assert left == ""


def test_a_second_apply_reports_who_has_the_lock(project: SmallProject) -> None:
    holding = (
        "import fcntl\n"
        "from scheduled_tasks.cli import main\n"
        "lock = open('/run/scheduled-tasks/lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('process 4711, since noon', file=lock, flush=True)\n"
        "main(['apply'])\n"
    )
    done = project.code(holding, check=False)
    assert done.returncode == 75
    assert done.stderr == "clocks: another apply is running: process 4711, since noon; wait until it has finished\n"


def test_a_set_in_which_systemd_finds_a_fault_changes_nothing(project: SmallProject) -> None:
    configuration = project.machine.root / f"{FOLDER}/config.toml".lstrip("/")
    sound = configuration.read_text()
    configuration.write_text(sound.replace("bin/run-task", "bin/not-there"))
    try:
        before = project.clocks("sets", "--json").stdout
        done = project.clocks("apply", check=False)
        assert done.returncode == 65
        assert "clock-one-kept.service: Command /srv/small/bin/not-there is not executable" in done.stderr
        assert project.clocks("sets", "--json").stdout == before
    finally:
        configuration.write_text(sound)
    assert project.apply()["changed"] is False


def test_an_apply_does_what_the_plan_shows(project: SmallProject) -> None:
    project.hold()
    project.machine.run("systemctl", "start", "clock-one-plain.service")
    project.write(one={"kept": (at(3600), True)}, two={"other": (f"hour={LATER_HOUR}", True)})
    done = project.clocks("plan", "--json", check=False)
    planned = json.loads(done.stdout)
    assert done.returncode == 2
    assert planned["running"] == {
        "clock-one-plain.service": "goes on to its end with its limits, and is not started again"
    }
    assert {timer["timer"]: (bool(timer["next"]), bool(timer["new_next"])) for timer in planned["timers"]} == {
        "clock-one-kept.timer": (True, True),
        "clock-one-plain.timer": (True, False),
        "clock-two-other.timer": (False, True),
    }
    applied = project.apply()
    assert (planned["restart"], planned["stop"]) == (applied["restarted"], applied["stopped"])
    assert applied["started"] == ["clock-two-other.timer"]
    assert project.clocks("plan").stdout == "nothing to do: the timers match the clock files\n"


LOCAL = {  # an operator's drop-in at each level, which overrides the most specific one of the set
    "clock-.service.d/91-all.conf": "[Service]\nNice=7\n",
    "clock-one-.service.d/92-clock.conf": "[Service]\nTasksMax=11\n",
    "clock-one-kept.service.d/override.conf": "[Service]\nRuntimeMaxSec=77\n",
    "clock-one-kept.timer.d/override.conf": "[Timer]\nRandomizedDelaySec=5\n",
}


def test_an_operators_drop_in_wins_at_any_level_and_survives_applies(project: SmallProject) -> None:
    job = "nice=3, tasks_max=9, timeout=50"  # these go into its own drop-in
    project.write(one={"kept": (f"hour={FAR_HOUR}, {job}", True)})
    project.apply()
    limits = "Nice,TasksMax,RuntimeMaxUSec"
    units = project.machine.root / "etc/systemd/system"
    assert project.show("clock-one-kept.service", limits) == {"Nice": "3", "TasksMax": "9", "RuntimeMaxUSec": "50s"}
    for path, text in LOCAL.items():
        (units / path).parent.mkdir(exist_ok=True)
        (units / path).write_text(text)
    project.machine.run("systemctl", "daemon-reload")
    operators = {"Nice": "7", "TasksMax": "11", "RuntimeMaxUSec": "1min 17s"}
    try:
        for hour in ((FAR_HOUR + 1) % 24, (FAR_HOUR + 2) % 24):
            assert project.show("clock-one-kept.service", limits) == operators
            assert project.show("clock-one-kept.timer", "RandomizedDelayUSec") == {"RandomizedDelayUSec": "5s"}
            assert project.clocks("plan").stdout == "nothing to do: the timers match the clock files\n"
            project.write(one={"kept": (f"hour={hour}, {job}", True)})
            assert project.apply()["restarted"] == ["clock-one-kept.timer"]
        project.write()
        project.apply()
        assert {path: (units / path).read_text() for path in LOCAL} == LOCAL
    finally:
        for path in LOCAL:
            (units / path).unlink()


BEHIND = "/etc/systemd/system/clock-one-kept.timer.d"
RUNTIME = "/run/systemd/system/clock-one-kept.timer.d"


@pytest.mark.parametrize(
    ("before", "change", "planned"),
    [
        ("", f"printf '[Timer]\nAccuracySec=2\n' >{BEHIND}/a.conf", {"reload": True}),
        (
            f"printf '[Timer]\nAccuracySec=2\n' >{BEHIND}/a.conf",
            f"printf '[Timer]\nAccuracySec=3\n' >{BEHIND}/a.conf",
            {"reload": True},
        ),
        ("", f"printf '[Timer]\nAccuracySec=4\n' >{RUNTIME}/b.conf", {"reload": True}),
        ("", "systemctl stop clock-one-kept.timer", {"start": ["clock-one-kept.timer"]}),
    ],
    ids=["a new drop-in", "a drop-in edited", "a drop-in in /run", "a timer stopped"],
)
def test_a_change_that_systemd_has_not_loaded_is_planned(
    project: SmallProject, before: str, change: str, planned: dict[str, object]
) -> None:
    # systemd 252 looks for drop-ins only in the directories that existed when it loaded its units.
    project.machine.run("sh", "-ec", f"mkdir -p {BEHIND} {RUNTIME}; {before or 'true'}; systemctl daemon-reload")
    try:
        project.apply()
        assert project.apply()["changed"] is False
        project.machine.run("sh", "-ec", change)
        plan = json.loads(project.clocks("plan", "--json", check=False).stdout)
        steps = {step: plan[step] for step in ("created", "changed", "removed", "stop", "restart", "start", "reload")}
        assert {step: value for step, value in steps.items() if value} == planned
        assert project.apply()["changed"] is True
        assert project.apply()["changed"] is False
    finally:
        project.machine.run("sh", "-c", f"rm -rf {BEHIND} /run/systemd/system/clock-*; systemctl daemon-reload")


def commands_of(readme: str, section: str) -> str:
    """The commands of a section, as a reader would type them."""
    body = readme.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return "\n".join(line.strip() for line in body.splitlines() if line.startswith("    "))


def test_ejected_units_live_on_without_the_project(project: SmallProject) -> None:
    job = "read_write_paths=['/run/small']"
    project.write(
        one={"kept": (f"second='*/4', {job}", True), "plain": (f"hour={LATER_HOUR}, nice=3", False)},
        two={"other": (f"hour={FAR_HOUR}", True)},
    )
    project.clocks("eject", "/srv/ejected")
    ejected = project.machine.root / "srv/ejected"
    readme = (ejected / "README.md").read_text()
    own = ("/blocked/", "/start-requests/", "/etc/scheduled-tasks/units")
    plain = {path: path.read_text() for path in ejected.rglob("clock*") if path.is_file()}
    assert [path for path, text in plain.items() if path.is_symlink() or any(word in text for word in own)] == []
    assert f"`{FOLDER}/bin/run-task`" in readme
    assert f"`{FOLDER}/config.toml`" in readme

    project.clocks("remove", "--all")
    assert project.runs() == []
    [first, *install] = commands_of(readme, "Install").splitlines()
    assert first == "clocks remove --all"
    # From here on the project's package is not used: not even Python runs.
    project.machine.run("sh", "-exc", "\n".join(install), folder="/srv/ejected")
    units = [path.name for path in plain if path.parent == ejected]
    assert project.machine.run("systemd-analyze", "verify", "--man=no", *units).stderr == ""
    assert listed(project, "--state=active", "--type=timer") == {*TIMERS, "clock-two-other.timer"}
    wait_for("two runs", lambda: project.runs().count("end kept") >= 2)
    assert {line.split()[1] for line in project.runs()} == {"kept"}
    for unit in ("clock-one.target", "clock-two.target"):
        assert project.machine.run("systemctl", "is-enabled", unit).stdout == "enabled\n"

    project.machine.run("sh", "-exc", commands_of(readme, "Remove"))
    wait_for("its end", lambda: listed(project, "--type=timer,service,target") == set())
    assert [path.name for path in (project.machine.root / "etc/systemd/system").rglob("clock*")] == []
    project.machine.run("sh", "-c", f"rm -r /srv/ejected /var/lib/systemd/timers/stamp-clock-*; rm -f {RUNS}")
    write_local(project.machine.root)
