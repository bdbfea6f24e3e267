"""`clocks status --check` is a plugin by the Monitoring Plugins' guidelines, and never green by mistake.

Its consumers are real: Monitoring::Plugin reads its performance data, `negate` and Zabbix's agent call it, and Icinga 2
accepts the guide's configuration.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scheduled_tasks.cli.screens.status_check import Range, State
from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import account
from tests.documented import blocks
from tests.integration.operate.roles import MONITORS, granted
from tests.integration.operate.shop import HOURLY, ask, clocks, hours_before, ran
from tests.roots import lacking, require

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

PAGE = "how-to/check-with-a-plugin.md"
PLUGINS = "/usr/lib/nagios/plugins"
DEAD = "UPDATE host SET heartbeat_at = now() - interval '6 minutes'"
HEALTHY = (
    "CLOCKS OK - 3 jobs, none bad | jobs=3;;;0 bad=0;0;0;0;3 hosts=1;;;0 dead_hosts=0;;0;0;1 faults=0;;0;0"
    " incidents=0;0;;0"
)
LATE = (
    "INSERT INTO incident (kind, clock, job, opened_at, first_at, last_at)"
    " VALUES ('late', 'shop', 'sell', now(), now(), now())"
)


class Checked(NamedTuple):
    """The result of a check."""

    code: int
    line: str
    more: list[str]

    @property
    def text(self) -> str:
        """The first line without its performance data."""
        return self.line.partition(" | ")[0]

    @property
    def data(self) -> str:
        return self.line.partition(" | ")[2]


def checked(*arguments: str) -> Checked:
    """A check in this process; whatever happens, standard output has the answer."""
    done = clocks("status", "--check", *arguments, check=False)
    first, *more = done.stdout.splitlines()
    return Checked(done.exit_code, first, more)


def fail(connection: Database, job: str, at: datetime, clock: str = "shop", error: str = "the disk is full") -> None:
    ran(connection, job, at, "failed", clock=clock, error_type="OSError", error_message=error)


@pytest.mark.parametrize(
    ("text", "alerting", "quiet"),
    [  # the table in section 2.5 of the guidelines
        ("10", [-1, 11], [0, 10]),
        ("10:", [9], [10, 1000]),
        ("~:10", [11], [-1000, 10]),
        ("10:20", [9, 21], [10, 20]),
        ("@10:20", [10, 20], [9, 21]),
        ("0", [1], [0]),
    ],
)
def test_a_range_alerts_as_the_guidelines_say(text: str, alerting: list[int], quiet: list[int]) -> None:
    threshold = Range.parse(text)
    assert [value for value in (*alerting, *quiet) if threshold.alerts(value)] == alerting


@pytest.mark.parametrize("text", ["", "@", ":", "x", "5:1", "nan", "1:2:3", "~"])
def test_what_is_no_range_is_unknown(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Range.parse(text)
    result = checked("--critical", text)
    assert (result.code, result.text[:16]) == (3, "CLOCKS UNKNOWN -")


def test_a_healthy_shop_is_ok(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hour, "ended")
    assert checked() == Checked(0, HEALTHY, [])


def test_bad_jobs_are_critical_and_named_with_their_reasons(connection: Database, hour: datetime) -> None:
    fail(connection, "count", hour)
    ran(connection, "close", hours_before(hour, 1), "missed", clock="till", reason="no host | ran it\nat all")
    result = checked()
    assert (result.code, result.text) == (2, "CLOCKS CRITICAL - 2 bad: shop/count, till/close")
    assert result.data.split()[1] == "bad=2;0;0;0;3"
    assert re.fullmatch(r"shop/count: since .*Z failed: the disk is full \(run [0-9a-f]{8}\)", result.more[0])
    assert "missed: no host / ran it (run" in result.more[1]


@pytest.mark.parametrize("what", ["count", "dead host", "nothing deployed", "wrong timers"])
def test_critical_is_what_status_exits_3_for(connection: Database, hour: datetime, what: str) -> None:
    assert (checked().code, clocks("status", "--bad").exit_code) == (0, 0)
    match what:
        case "count":
            fail(connection, "count", hour)
        case "dead host":
            connection.execute(DEAD)
        case "nothing deployed":
            connection.execute("UPDATE deployed_job SET valid_until = now()")
        case _:
            connection.execute("UPDATE host SET problems = ARRAY['its zone data are old']")
    assert (checked().code, clocks("status", "--bad").exit_code) == (2, 3)


def test_an_open_incident_is_a_warning_until_somebody_has_seen_it(connection: Database, hour: datetime) -> None:
    connection.execute(LATE)
    result = checked()
    assert (result.code, result.text) == (
        1, "CLOCKS WARNING - 3 jobs, none bad; 1 open incident: late shop/sell",
    )  # fmt: skip
    assert checked("till").code == 0
    clocks("ack", "1", "--reason", "the bank is slow")
    assert checked().code == 0


def test_thresholds_are_for_the_number_of_bad_jobs(connection: Database, hour: datetime) -> None:
    fail(connection, "count", hour)
    assert checked("--critical", "1").code == 1
    assert checked("-c", "1", "-w", "1").code == 0
    fail(connection, "sell", hour)
    assert checked("-c", "1", "-w", "1").code == 2
    assert checked("-c", "1", "-w", "@0:5").data.split()[1] == "bad=2;@0:5;1;0;3"
    connection.execute(DEAD)
    assert checked("-c", "5", "-w", "5").code == 2


def test_a_check_is_limited_by_clock_job_and_owner(connection: Database, hour: datetime) -> None:
    fail(connection, "close", hour, "till")
    connection.execute("UPDATE deployed_job SET options = options || '{\"owner\": \"data\"}' WHERE job = 'count'")
    limits: tuple[list[str], ...] = ([], ["till"], ["till/close"], ["shop"], ["--owner", "data"])
    assert [checked(*arguments).code for arguments in limits] == [2, 2, 2, 0, 0]
    assert checked("--owner", "data").text == "CLOCKS OK - 1 job, none bad"
    fail(connection, "count", hour)
    assert checked("--owner", "data").text == "CLOCKS CRITICAL - 1 bad: shop/count"
    assert [job["job"] for job in ask("status", "--owner", "data")["jobs"]] == ["count"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--owner", "dta"], "no job has the owner 'dta'"),
        (["shp"], "no host has a clock shp; did you mean shop?"),
        (["a b"], "'a b' is neither CLOCK nor CLOCK/JOB"),
        (["--json"], "--check has its own form: leave --json out"),
        (["--no-such-option"], "No such option"),
        (["--timeout", "0"], "Invalid value"),
    ],
)
def test_wrong_usage_is_unknown(connection: Database, hour: datetime, arguments: list[str], why: str) -> None:
    result = checked(*arguments)
    assert result.code == 3
    assert result.line.startswith("CLOCKS UNKNOWN - ")
    assert why in result.line


def test_help_is_not_green(connection: Database) -> None:
    assert clocks("status", "--check", "--help", check=False).exit_code == 3


def test_an_unreachable_or_empty_database_is_unknown(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    result = checked()
    assert (result.code, result.text[:16]) == (3, "CLOCKS UNKNOWN -")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/shop")
    result = checked()
    assert (result.code, result.text[:43]) == (3, "CLOCKS UNKNOWN - PostgreSQL is unreachable:")


def test_an_error_that_nobody_expected_is_unknown(
    connection: Database, hour: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such thing\nat all")

    monkeypatch.setattr("scheduled_tasks.cli.screens.status_check.check", broken)
    assert checked() == (
        3,
        "CLOCKS UNKNOWN - unexpected RuntimeError: no such thing at all; --debug shows the traceback, please report it",
        [],
    )


def test_output_stays_within_what_nagios_reads(connection: Database, hour: datetime) -> None:
    now = datetime.now(UTC)
    jobs = [
        {"clock": "night", "job": f"job_{number:03}", "task": "a.b", "schedule": HOURLY, "options": {"timeout": 600}}
        for number in range(200)
    ]
    deployments.report(connection, "app2", deployments.JobsReport(jobs, "many", now, now))
    account(connection, "app2", now)
    for job in jobs:
        fail(connection, str(job["job"]), hour, "night", error="é" * 300)
    done = clocks("status", "--check", check=False)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("CLOCKS CRITICAL - 200 bad: night/job_000, night/job_001, ")
    assert "night/job_004 and 195 more |" in lines[0]
    assert len(done.stdout.encode()) <= 4001
    assert re.fullmatch(r"and \d+ lines more: see 'clocks status --bad'", lines[-1])


# From here on, as other programs call it.


@pytest.fixture
def plugin(connection: Database, hour: datetime, database_url: str, tmp_path: Path) -> Path:
    """`clocks` on a machine of its own: with a role that can only read, and the guide's configuration of two lines."""
    [example] = [block.text for block in blocks(PAGE) if block.language == "toml"]
    (tmp_path / "monitor.toml").write_text(re.sub(r'"postgresql:.*"', f'"{database_url}&user={MONITORS}"', example))
    script = tmp_path / "clocks"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m scheduled_tasks.cli "$@"\n')
    script.chmod(0o755)
    tmp_path.chmod(0o755)
    return script


def environment(plugin: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    root = str(Path(__file__).parents[3])
    return kept | {"SCHEDULED_TASKS_CONFIG": str(plugin.with_name("monitor.toml")), "PYTHONPATH": root}


def call(plugin: Path, *command: str) -> Checked:
    done = subprocess.run(
        [*command, str(plugin), "status", "--check"],
        env=environment(plugin),
        capture_output=True,
        text=True,
        check=False,
    )
    first, *more = done.stdout.splitlines()
    return Checked(done.returncode, first, more)


def here(plugin: Path, text: str) -> str:
    """A configuration of the guide, with this machine's paths."""
    config = plugin.with_name("monitor.toml")
    return text.replace("/usr/local/bin/clocks", str(plugin)).replace("/etc/scheduled-tasks/monitor.toml", str(config))


def the(language: str) -> str:
    [block] = [block for block in blocks(PAGE) if block.language == language]
    return block.text


def test_the_guides_command_prints_what_it_shows(connection: Database, plugin: Path, hour: datetime) -> None:
    at = "2026-11-24T0{}:00:00Z"
    for job, clock, status, number in (("count", "shop", "missed", 1), ("close", "till", "failed", 2)):
        is_failed = status == "failed"
        ran(
            connection, job, datetime.fromisoformat(at.format(5 + number)), status, clock=clock,
            reason=None if is_failed else "no host ran it", error_type="OSError" if is_failed else None,
            error_message="the disk is full" if is_failed else None,
        )  # fmt: skip
        run_id = "-".join(str(number) * length for length in (8, 4, 4, 4, 12))
        connection.execute("UPDATE task_run SET run_id = %s WHERE job = %s", [run_id, job])
    with granted(connection):
        result = call(plugin)
    [(_, output)] = [step for block in blocks(PAGE, "plugin") for step in block.steps]
    assert [result.line, *result.more] == output.rstrip().splitlines()


def test_it_works_from_a_machine_that_only_reaches_postgresql(connection: Database, plugin: Path) -> None:
    with granted(connection):
        assert call(plugin) == Checked(0, HEALTHY, [])


def test_a_database_that_does_not_answer_is_unknown_in_time(plugin: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # which accepts, and says nothing
        url = f"postgresql://monitor@127.0.0.1:{silent.getsockname()[1]}/shop"
        plugin.with_name("monitor.toml").write_text(f'[settings]\noperators_database_url = "{url}"\n')
        command = [str(plugin), "status", "--check", "--timeout", "3"]
        done = subprocess.run(command, env=environment(plugin), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (3, "CLOCKS UNKNOWN - no answer within 3 s\n")


def test_monitoring_plugin_reads_its_performance_data(connection: Database, plugin: Path, hour: datetime) -> None:
    module = "Monitoring::Plugin::Performance"
    if subprocess.run(["perl", f"-M{module}", "-e", "1"], capture_output=True, check=False).returncode:
        require(f"{module} is missing: run 'apt-get install libmonitoring-plugin-perl' as root")
    fail(connection, "count", hour)
    with granted(connection):
        result = call(plugin)
    read = subprocess.run(
        ["perl", "-MMonitoring::Plugin::Performance", "-e", PERL, result.data],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert read.stdout.splitlines() == [
        "jobs 3 0", "bad 1 0 0 0 3", "hosts 1 0", "dead_hosts 0 0 0 1", "faults 0 0 0", "incidents 0 0 0",
    ]  # fmt: skip


PERL = r"""
for my $one (Monitoring::Plugin::Performance->parse_perfstring($ARGV[0])) {
    my @known = grep { defined && length } ($one->warning, $one->critical, $one->min, $one->max);
    print join(" ", $one->label, $one->value, @known), "\n";
}
"""


def test_negate_turns_its_state_around(connection: Database, plugin: Path, hour: datetime) -> None:
    require(lacking("negate", {f"{PLUGINS}/negate": "monitoring-plugins-basic"}, root=False))
    negate = f"{PLUGINS}/negate"
    with granted(connection):
        assert call(plugin, negate).code == State.CRITICAL
        fail(connection, "count", hour)
        assert call(plugin, negate).code == State.OK
    plugin.with_name("monitor.toml").write_text("[settings]\n")
    assert call(plugin, negate).code == State.UNKNOWN


def test_nrpes_command_line_gives_the_answer_to_a_shell(connection: Database, plugin: Path, hour: datetime) -> None:
    """NRPE itself, which refuses to be root, calls it in this way."""
    line = here(plugin, the("nrpe")).partition("=")[2]
    fail(connection, "count", hour)
    with granted(connection):
        done = subprocess.run(line, shell=True, env=environment(plugin), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.partition(" | ")[0]) == (2, "CLOCKS CRITICAL - 1 bad: shop/count")


def test_zabbix_reads_its_answer(connection: Database, plugin: Path, hour: datetime) -> None:
    require(lacking("Zabbix's agent", {"zabbix_agentd": "zabbix-agent"}, root=False))
    config = plugin.with_name("zabbix_agentd.conf")
    config.write_text(f"Server=127.0.0.1\nTimeout=30\nAllowRoot=1\n{here(plugin, the('zabbix'))}")
    fail(connection, "close", hour, "till")

    def asked(item: str) -> str:
        command = ["zabbix_agentd", "-c", str(config), "-t", item]
        return subprocess.run(command, env=environment(plugin), capture_output=True, text=True, check=True).stdout

    with granted(connection):
        answer = asked("clocks.check[]")
        assert "[t|CLOCKS CRITICAL - 1 bad: till/close | jobs=3" in answer
        [number] = re.findall(r"bad=(\d+)", answer)
        assert number == "1"
        assert "[t|CLOCKS OK - 2 jobs, none bad" in asked("clocks.check[shop]")


def test_icinga_accepts_the_guides_configuration(plugin: Path) -> None:
    require(lacking("Icinga 2", {"icinga2": "icinga2-bin"}))
    config = plugin.with_name("icinga2.conf")
    start = 'object Host "app1" {\n  check_command = "clocks"\n}\n'
    config.write_text(start + here(plugin, the("icinga")))
    command = ["icinga2", "daemon", "-C", "-c", str(config), "-DRunAsUser=root", "-DRunAsGroup=root"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Finished validating the configuration file(s)." in done.stdout, done.stdout
    assert done.returncode == 0
    assert "1 CheckCommand" in done.stdout


def test_the_commands_of_the_guide_are_commands(plugin: Path) -> None:
    """Each takes only options that exist."""
    for language in ("nrpe", "zabbix"):
        words = shlex.split(the(language).partition("/usr/local/bin/clocks ")[2].replace("$1", ""))
        assert words[:2] == ["status", "--check"]
        assert "No such option" not in checked(*words[2:]).line
