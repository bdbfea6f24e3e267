"""The programs that call `clocks status --check` get its answer, as the guide shows it.

They are real: Monitoring::Plugin reads its performance data, `negate` and Zabbix's agent call it, and Icinga 2 accepts
the guide's configuration.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.cli.screens.status_check import State
from tests.documented import blocks
from tests.integration.operate.roles import MONITORS, granted
from tests.integration.operate.shop import ran
from tests.integration.operate.status_checks import HEALTHY, Checked, checked, fail
from tests.roots import lacking, require

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

PAGE = "how-to/check-with-a-plugin.md"
PLUGINS = "/usr/lib/nagios/plugins"


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
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # it accepts connections and never answers
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
