"""An apply starts no job, ends none and loses no run: each shown for persistent timers and for plain ones."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.machine.project import FAR_HOUR, LATER_HOUR, SmallProject, at, sleep_until
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.xdist_group("promises")

KINDS = {"kept": True, "plain": False}  # job → whether its timer is persistent
SLACK = 2.5  # seconds: AccuracySec=1s, and a start on a busy host


@pytest.fixture(autouse=True)
def fresh(project: SmallProject) -> Iterator[None]:
    """Each test begins on a machine without our units and without a recorded run."""
    yield
    project.write()
    project.release()
    project.apply()
    project.machine.run("sh", "-c", "systemctl stop 'clock-*.service'; rm -f /var/lib/systemd/timers/stamp-clock-*")
    project.reset()


def both(fields: str, clock: str = "") -> dict[str, tuple[str, bool]]:
    """Jobs of both kinds with these fields, their names with the clock's if it is given."""
    return {f"{kind}_{clock}".removesuffix("_"): (fields, kept) for kind, kept in KINDS.items()}


def test_a_first_apply_starts_no_job_and_a_second_one_changes_nothing(project: SmallProject) -> None:
    project.write(one=both(at(-2)))
    assert project.apply()["started"] == ["clock-one-kept.timer", "clock-one-plain.timer"]
    before = project.machine.run(
        "sh", "-c", "find /etc /var/lib/systemd -newerct '1 day ago' -printf '%p %C@\\n'"
    ).stdout
    assert project.apply() == {
        "started": [], "restarted": [], "stopped": [], "changed_files": [], "caught_up": [], "links": [],
        "changed": False,
    }  # fmt: skip
    after = project.machine.run(
        "sh", "-c", "find /etc /var/lib/systemd -newerct '1 day ago' -printf '%p %C@\\n'"
    ).stdout
    assert after == before
    time.sleep(SLACK)
    assert project.runs() == []


def test_a_new_time_between_the_last_run_and_now_starts_no_job(project: SmallProject) -> None:
    lead = project.soon()
    due = time.time() + lead
    project.write(one=both(at(lead)))
    project.apply()
    wait_for("both runs", lambda: len(project.runs()) == 4)
    sleep_until(due + 5)
    for _ in range(2):  # the second time, the last run is not one of the old schedule
        project.write(one=both(at(-2)))
        assert project.apply()["restarted"] == ["clock-one-kept.timer", "clock-one-plain.timer"]
        time.sleep(SLACK)
    assert len(project.runs()) == 4
    for job in KINDS:
        assert project.show(f"clock-one-{job}.timer", "SubState,ActiveState") == {
            "ActiveState": "active", "SubState": "waiting",
        }  # fmt: skip


def test_a_job_runs_at_its_new_time(project: SmallProject) -> None:
    project.write(one=both(at(3600)))
    project.apply()
    project.write(one=both(at(project.soon())))
    project.apply()
    assert project.runs() == []
    wait_for("both runs", lambda: len(project.runs()) == 4)


def test_a_running_job_continues_when_its_unit_changes_and_when_it_is_removed(project: SmallProject) -> None:
    project.write(one=both(at(3600)))
    project.apply()
    project.hold()
    project.machine.run("systemctl", "start", "clock-one-kept.service", "clock-one-plain.service")
    wait_for("both starts", lambda: len(project.runs()) == 2)
    project.write(one={"kept": (f"hour={FAR_HOUR}", True)}, two={"other": (f"hour={LATER_HOUR}", True)})
    project.apply()
    assert len(project.runs()) == 2
    project.write()
    project.apply()
    project.release()
    wait_for("both ends", lambda: sorted(project.runs())[:2] == ["end kept", "end plain"])


def test_a_run_that_falls_due_while_the_timer_is_stopped_starts_once(project: SmallProject) -> None:
    """The apply is slowed down, so that the due time passes while the timer is stopped."""
    lead = project.soon()
    due, slot = time.time() + lead, at(lead)
    # The timers change: before the apply one clock's have one hour more, and the other clock's a different time.
    with_an_hour_more = re.sub(r"hour=(\d+)", lambda hour: f"hour='{hour[1]},{(int(hour[1]) + 2) % 24}'", slot)
    project.write(same=both(with_an_hour_more, "same"), other=both(at(-3600), "other"))
    project.apply()
    project.write(same=both(slot, "same"), other=both(slot, "other"))
    slow = (
        "import time\n"
        "from scheduled_tasks.project import enabled_clocks, configured_host\n"
        "from scheduled_tasks.deploy.apply import apply\n"
        "from scheduled_tasks.render.units import render\n"
        "from scheduled_tasks.deploy.effects import Effects\n"
        "class Slow(Effects):\n"
        "    def step(self, operation, what):\n"
        "        if operation == 'systemctl daemon-reload':\n"
        f"            time.sleep(max(0, {due + 1.5} - time.time()))\n"
        "print(apply(render(enabled_clocks(), configured_host()), effects=Slow()))\n"
    )
    printed = project.code(slow).stdout
    jobs = sorted(f"{kind}_{clock}" for kind in KINDS for clock in ("same", "other"))
    timers = sorted(f"clock-{job.partition('_')[2]}-{job}.timer" for job in jobs)
    assert f"restarted={tuple(timers)!r}" in printed
    wait_for("all runs", lambda: len(project.runs()) >= 2 * len(jobs))
    time.sleep(SLACK)
    assert sorted(project.runs()) == sorted(f"{what} {job}" for what in ("start", "end") for job in jobs)


def test_a_run_that_fell_due_after_an_apply_was_killed_is_started_once_by_the_next(project: SmallProject) -> None:
    project.write(one=both(at(-3600)))
    project.apply()
    lead = project.soon()
    due = time.time() + lead
    project.write(one=both(at(lead)))
    dying = (
        "import os\n"
        "from scheduled_tasks.project import enabled_clocks, configured_host\n"
        "from scheduled_tasks.deploy.apply import apply\n"
        "from scheduled_tasks.render.units import render\n"
        "from scheduled_tasks.deploy.effects import Effects\n"
        "class Dying(Effects):\n"
        "    def step(self, operation, what):\n"
        "        if operation == 'systemctl daemon-reload':\n"
        "            os._exit(137)\n"
        "apply(render(enabled_clocks(), configured_host()), effects=Dying())\n"
    )
    assert project.code(dying, check=False).returncode == 137
    sleep_until(due + 2)
    assert project.runs() == []
    assert project.apply()["caught_up"] == ["clock-one-plain.service"]  # systemd starts the other, by its stamp
    wait_for("both runs", lambda: len(project.runs()) >= 4)
    assert project.apply()["changed"] is False
    time.sleep(SLACK)
    assert sorted(project.runs()) == ["end kept", "end plain", "start kept", "start plain"]


def test_runs_delayed_by_jitter_start_once_even_if_their_timers_change(project: SmallProject) -> None:
    """Of timers due at the same time, some have started their job when the apply comes, and others still wait."""
    jobs = [f"{kind}{number}" for kind in KINDS for number in range(4)]
    lead = project.soon()
    due, slot = time.time() + lead, at(lead)

    def all_at(fields: str) -> dict[str, tuple[str, bool]]:
        return {job: (f"{fields}, jitter=10", job.startswith("kept")) for job in jobs}

    project.write(one=all_at(slot))
    project.apply()
    sleep_until(due + 2)
    project.write(one=all_at(re.sub(r"hour=(\d+)", lambda hour: f"hour='{hour[1]},{(int(hour[1]) + 2) % 24}'", slot)))
    before = len(project.runs())
    assert len(project.apply()["restarted"]) == len(jobs)
    assert before < 2 * len(jobs)
    wait_for("all runs", lambda: len(project.runs()) >= 2 * len(jobs))
    sleep_until(due + 12)
    assert sorted(project.runs()) == sorted(f"{what} {job}" for what in ("start", "end") for job in jobs)
