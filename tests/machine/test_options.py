"""Options at work: limits apply, retries are counted, and a clock's concurrency is limited."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.clock_job import MAX_NAME
from scheduled_tasks.options import MAX_STRING
from tests.machine.rendered import OUT, Jobs, host, start, values
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("options")  # they share a machine


# Uses as much CPU as it can for three seconds or more, then prints when it began, when it ended and its CPU time.
BUSY = f"""begun=$(date +%s.%N); end=$((${{begun%.*}} + 4))
while [ "$(date +%s)" -lt "$end" ]; do n=0; while [ $n -lt 5000 ]; do n=$((n + 1)); done; done
times >{OUT}/times
echo "CPU time: $begun $(date +%s.%N) $(head -n 1 {OUT}/times | tr -d 'ms')" >{OUT}/busy"""


def share(report: str) -> float:
    """The share of a CPU that a busy job had."""
    begun, ended, used, _ = report.partition("CPU time: ")[2].split()[:4]
    return float(used) / (float(ended) - float(begun))


@pytest.fixture(scope="module")
def machine(either_machine: Machine) -> Machine:
    return either_machine


@pytest.fixture(scope="module")
def limits(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    version = int(machine.run("systemctl", "--version").stdout.split()[1])
    jobs = Jobs(
        "limits",
        f'timeout="30s", tasks_max=8, memory_max="60M", retry_delay_max=2, read_write_paths=["{OUT}"], retry_delay=1',
    )
    jobs.add("greedy", "exec tail /dev/zero")
    jobs.add("modest", "head --bytes=10M /dev/zero | tail >/dev/null")
    jobs.add("forks", "for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; wait")
    jobs.add("hangs", "sleep 60", "timeout=1")
    jobs.add("busy", BUSY, "cpu_quota='20%'")
    jobs.add("fails_twice", f"echo >>{OUT}/twice; [ $(wc -l <{OUT}/twice) = 3 ]", "retries=3")
    jobs.add("always_fails", f"echo >>{OUT}/always; exit 1", "retries=2")
    jobs.add("is_misconfigured", f"echo >>{OUT}/misconfigured; exit 78", "retries=2")
    jobs.add("hangs_again", f"echo >>{OUT}/hangs; sleep 60", "timeout=1, retries=1")
    jobs.put_on(machine, tmp_path_factory.mktemp("clock"), host(systemd_version=version))
    return jobs


def attempts(machine: Machine, name: str) -> int:
    return (machine.root / OUT.lstrip("/") / name).read_text().count("\n")


def test_systemd_finds_the_units_sound_and_hardened(machine: Machine, limits: Jobs) -> None:
    units = [limits.service(job) for job in limits.scripts]
    assert machine.run("systemd-analyze", "verify", "--man=no", *units).stderr == ""
    judged = machine.run("systemd-analyze", "security", "--no-pager", units[0]).stdout
    assert [float(score) <= 1.2 for score in re.findall(r"level for \S+: ([\d.]+)", judged)] == [True], judged


def test_a_job_that_exceeds_its_memory_is_killed(machine: Machine, limits: Jobs) -> None:
    start(machine, limits.service("greedy"), limits.service("modest"))
    # "signal" with cgroup v1
    assert values(machine, limits.service("greedy"), "Result") in (["oom-kill"], ["signal"])
    assert values(machine, limits.service("modest"), "Result") == ["success"]


def test_a_job_cannot_create_more_processes_than_its_limit(machine: Machine, limits: Jobs) -> None:
    start(machine, limits.service("forks"))
    assert values(machine, limits.service("forks"), "Result") == ["exit-code"]
    assert any("fork" in str(entry["MESSAGE"]) for entry in machine.journal(limits.service("forks")))


def test_a_job_that_exceeds_its_timeout_is_ended(machine: Machine, limits: Jobs) -> None:
    start(machine, limits.service("hangs"))
    assert values(machine, limits.service("hangs"), "Result") == ["timeout"]


def test_a_job_uses_no_more_cpu_than_its_quota(machine: Machine, limits: Jobs) -> None:
    start(machine, limits.service("busy"))
    assert values(machine, limits.service("busy"), "Result") == ["success"]
    assert 0 < share((machine.root / OUT.lstrip("/") / "busy").read_text()) < 0.3  # less on a busy machine


def test_a_job_is_retried_until_it_succeeds(machine: Machine, limits: Jobs) -> None:
    start(machine, limits.service("fails_twice"))
    wait_for("the third attempt", lambda: attempts(machine, "twice") == 3)
    wait_for(
        "its end",
        lambda: values(machine, limits.service("fails_twice"), "ActiveState", "Result") == ["inactive", "success"],
    )


def test_a_run_fails_after_its_last_retry_and_the_next_run_has_all_retries_again(
    machine: Machine, limits: Jobs
) -> None:
    service = limits.service("always_fails")
    for total in (3, 6):
        start(machine, service)
        wait_for("the end", lambda: values(machine, service, "ActiveState") == ["failed"])
        assert attempts(machine, "always") == total
        assert values(machine, service, "Result", "ExecMainStatus") == ["exit-code", "69"]


def test_a_configuration_error_is_not_retried(machine: Machine, limits: Jobs) -> None:
    service = limits.service("is_misconfigured")
    start(machine, service)
    assert values(machine, service, "ActiveState", "ExecMainStatus") == ["failed", "78"]
    assert attempts(machine, "misconfigured") == 1


def test_each_attempt_has_the_full_timeout(machine: Machine, limits: Jobs) -> None:
    service = limits.service("hangs_again")
    start(machine, service)
    wait_for("the end", lambda: values(machine, service, "ActiveState") == ["failed"])
    assert attempts(machine, "hangs") == 2


def test_the_longest_names_and_arguments_that_are_accepted_start_and_their_failure_is_recorded(
    machine: Machine, tmp_path: Path
) -> None:
    jobs, job = Jobs("c" * MAX_NAME, "memory_max='100M'"), "j" * MAX_NAME
    args = MAX_STRING - len('--args=[{"@": "app"}, ""]')
    kwargs = MAX_STRING - len('--kwargs={"days": ""}')
    options = (
        f'args=[app, "%" * {args}], kwargs={{"days": "$" * {kwargs}}}, environment={{"X": "x" * {MAX_STRING - 2}}}'
    )
    jobs.add(job, f"printf %s ${{#X}} >{OUT}/longest; exit 1", f'{options}, read_write_paths=["{OUT}"]', task="remind")
    jobs.put_on(machine, tmp_path, host(clocks_command="/bin/true"))
    assert machine.run("systemd-analyze", "verify", "--man=no", jobs.service(job)).stderr == ""
    start(machine, jobs.service(job))
    assert values(machine, jobs.service(job), "Result", "ExecMainStatus") == ["exit-code", "1"]
    assert (machine.root / OUT.lstrip("/") / "longest").read_text() == str(MAX_STRING - 2)
    hook = f"clock-failed@{jobs.service(job)}"
    wait_for("the hook's end", lambda: values(machine, hook, "ActiveState") == ["inactive"])
    assert values(machine, hook, "LoadState", "Result") == ["loaded", "success"]
    assert values(machine, hook, "ExecMainStartTimestampMonotonic") != ["0"]


def test_jobs_beyond_the_concurrency_wait_and_none_is_lost_or_has_less_time(machine: Machine, tmp_path: Path) -> None:
    jobs = Jobs("turns", f'timeout="3s", concurrency=2, read_write_paths=["{OUT}"]')
    names = [f"job{number}" for number in range(6)]
    for name in names:
        # Each uses 2 s of its 3 s; the last one first waits for 4 s.
        jobs.add(name, f"echo + >>{OUT}/turns; sleep 2; echo - >>{OUT}/turns")
    jobs.put_on(machine, tmp_path, host())
    machine.run("systemctl", "start", "--no-block", *map(jobs.service, names))
    log = machine.root / OUT.lstrip("/") / "turns"
    wait_for("the last job's end", lambda: log.exists() and log.read_text().count("-") == 6)

    def ends() -> list[list[str]]:
        return [values(machine, jobs.service(name), "ActiveState", "Result") for name in names]

    wait_for("all ends", lambda: ends() == [["inactive", "success"]] * 6)
    running = 0
    most = max(running := running + (1 if line == "+" else -1) for line in log.read_text().split())
    assert most == 2


def test_a_killed_job_releases_its_lock(machine: Machine, tmp_path: Path) -> None:
    jobs = Jobs("killed", f'concurrency=1, read_write_paths=["{OUT}"]')
    jobs.add("holds", "sleep 60")
    jobs.add("waits", f"echo >>{OUT}/waited")
    jobs.add("stopped", f"echo >>{OUT}/never")
    jobs.put_on(machine, tmp_path, host())
    machine.run("systemctl", "start", jobs.service("holds"))
    machine.run("systemctl", "start", "--no-block", jobs.service("stopped"), jobs.service("waits"))
    machine.run("systemctl", "stop", jobs.service("stopped"))
    machine.run("systemctl", "kill", "--signal=KILL", jobs.service("holds"))
    wait_for("the other's lock", (machine.root / OUT.lstrip("/") / "waited").exists)
    assert not (machine.root / OUT.lstrip("/") / "never").exists()
