"""A user's own systemd (`--user`): the same commands without root, and without the directives it has no right to."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.machine.inside import python_inside
from tests.machine.project import ENVIRONMENT, FAR_HOUR, LATER_HOUR, PLAIN, RUNS, SmallProject, at, set_up, sleep_until
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.inside import Done
    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("user")

UID = 4711
HOME = "/home/dev"
RUNTIME = f"/run/user/{UID}"
# A minimal Debian lacks libpam-systemd, which sets XDG_RUNTIME_DIR at login; the user's systemd runs even without it.
NO_PAM = f"[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR={RUNTIME}\n"


class Developer:
    """A user with a systemd of their own."""

    def __init__(self, project: SmallProject) -> None:
        self.project = project
        self.machine = project.machine
        self.machine.run("useradd", "--create-home", f"--uid={UID}", "dev")
        pam = self.machine.run("sh", "-c", "find /lib /usr/lib -name pam_systemd.so").stdout
        if not pam:
            drop_in = self.machine.root / "etc/systemd/system/user@.service.d/no-pam.conf"
            drop_in.parent.mkdir(exist_ok=True)
            drop_in.write_text(NO_PAM)
            self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "start", f"user@{UID}.service")

    def clocks(self, *arguments: str, code: int = 0) -> Done:
        """Run `clocks … --user` as that user."""
        assert self.project.inside is not None
        environment = ENVIRONMENT | PLAIN | {"HOME": HOME, "XDG_RUNTIME_DIR": RUNTIME, "USER": "dev"}
        done = self.project.inside.clocks(*arguments, "--user", environment=environment, uid=UID)
        assert done.returncode == code, str(done)
        return done

    def systemctl(self, *arguments: str) -> str:
        """Call `systemctl --user` as that user."""
        own = ("env", f"XDG_RUNTIME_DIR={RUNTIME}", f"HOME={HOME}")
        who = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
        return self.machine.run(*who, *own, "systemctl", "--user", *arguments).stdout

    def timers(self) -> set[str]:
        """The active timers."""
        printed = self.systemctl("list-units", "--plain", "--no-legend", "--state=active", "clock-*.timer")
        return {line.split()[0] for line in printed.splitlines()}

    def files(self) -> list[str]:
        """The files of our timers in the user's home."""
        return self.machine.run(
            "find", f"{HOME}/.config", f"{HOME}/.local", "-not", "-type", "d", check=False
        ).stdout.split()


@pytest.fixture(scope="module")
def developer(either_machine: Machine) -> Iterator[Developer]:
    with python_inside(either_machine) as inside:
        yield Developer(set_up(either_machine, inside))


def test_a_users_jobs_are_planned_applied_run_changed_rolled_back_and_removed(developer: Developer) -> None:
    project = developer.project
    project.write(one={"often": ("second='*/2', nice=1", True), "nightly": (f"hour={FAR_HOUR}", False)})
    plan = json.loads(developer.clocks("plan", "--json", code=2).stdout)
    [sentence] = plan["left_out"]
    assert sentence.startswith("every job: a user's own systemd has no right to CapabilityBoundingSet=, ")
    assert "User=" in sentence
    assert developer.files() == []

    assert developer.clocks("apply").stderr == f"left out: {sentence}\n"
    assert developer.timers() == {"clock-one-often.timer", "clock-one-nightly.timer"}
    assert developer.machine.run("systemctl", "list-units", "--plain", "--no-legend", "clock*").stdout == ""
    wait_for("two runs", lambda: project.runs().count("end often") >= 2)
    account = developer.machine.run("stat", "--format=%u", RUNS).stdout
    assert account == f"{UID}\n"

    # Hardened as far as possible, and limited.
    shown = developer.systemctl(
        "show", "clock-one-often.service", "--property=NoNewPrivileges,MemoryMax,RuntimeMaxUSec,Nice"
    )
    assert set(shown.split()) == {"NoNewPrivileges=yes", "MemoryMax=1073741824", "RuntimeMaxUSec=1h", "Nice=1"}
    assert developer.clocks("plan").stdout == "nothing to do: the timers match the clock files\n"

    project.write(one={"nightly": (f"hour={LATER_HOUR}", False)})
    assert developer.clocks("apply").stdout.splitlines()[:2] == [
        "restarted clock-one-nightly.timer", "stopped clock-one-often.timer",
    ]  # fmt: skip
    assert [line.split()[-1] for line in developer.clocks("sets").stdout.splitlines()[1:]] == ["current", "2"]
    developer.clocks("rollback")
    assert developer.timers() == {"clock-one-often.timer", "clock-one-nightly.timer"}

    developer.clocks("remove", "--all")
    assert developer.timers() == set()
    assert developer.files() == []
    assert (
        developer.machine.run("sh", "-c", "ls /etc/scheduled-tasks /var/lib/systemd/timers | grep clock || true").stdout
        == ""
    )


def test_an_edited_time_starts_no_job_of_a_user(developer: Developer) -> None:
    project = developer.project
    project.reset()
    project.write(one={"kept": (f"hour={FAR_HOUR}", True), "plain": (f"hour={FAR_HOUR}", False)})
    developer.clocks("apply")
    started = time.time()
    sleep_until(started + 3)
    fields = at(-2)  # after the timers' start, before now
    project.write(one={"kept": (fields, True), "plain": (fields, False)})
    assert developer.clocks("apply").stdout.startswith(
        "restarted clock-one-kept.timer\nrestarted clock-one-plain.timer"
    )
    sleep_until(started + 5.5)
    assert project.runs() == []
    developer.clocks("remove", "--all")


def test_the_doctor_examines_the_users_own_systemd(developer: Developer) -> None:
    developer.project.write(one={"kept": (f"hour={FAR_HOUR}", True)})
    developer.clocks("apply")

    def fixes() -> dict[str, str]:
        findings = json.loads(developer.clocks("doctor", "--json", code=3).stdout)
        return {item["where"]: item["mend"] for item in findings if item["where"].startswith(("clock-", "user"))}

    assert fixes() == {"user dev": "loginctl enable-linger dev"}
    developer.systemctl("stop", "clock-one-kept.timer")
    assert fixes()["clock-one-kept.timer"] == "systemctl --user start clock-one-kept.timer"
    developer.clocks("remove", "--all")
    assert "there is no current set" in developer.clocks("doctor", code=3).stdout


def test_user_and_root_exclude_each_other_and_user_needs_a_session(developer: Developer) -> None:
    assert developer.project.inside is not None
    assert "use only one of them" in developer.clocks("plan", "--root", "/srv/image", code=64).stderr
    done = developer.project.inside.clocks("plan", "--user", environment=ENVIRONMENT | PLAIN, uid=UID)
    assert (done.returncode, "XDG_RUNTIME_DIR is not set" in done.stderr) == (64, True)


def test_a_users_running_job_keeps_its_limits(developer: Developer) -> None:
    project, service = developer.project, "clock-one-job.service"
    project.reset()
    project.write(one={"job": (f"hour={FAR_HOUR}, timeout=60", True)})
    developer.clocks("apply")
    project.hold()
    developer.systemctl("start", service)
    project.write(one={"job": (f"hour={FAR_HOUR}, timeout=1", True)})
    developer.clocks("apply")
    project.release()
    wait_for("the end", lambda: project.runs() == ["start job", "end job"])
    ended = {"Result=success", "RuntimeMaxUSec=1s", "ActiveState=inactive"}
    shown = ("show", service, "--property=Result,RuntimeMaxUSec,ActiveState")
    wait_for("the service's end", lambda: set(developer.systemctl(*shown).split()) == ended)
    assert project.machine.run("find", f"{RUNTIME}/systemd/user", "-name", "clock*").stdout == ""
    project.reset()
