"""The log shipping example with a real rsyslog on a booted machine: a job's line arrives unchanged."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.machine import Machine, booted
from tests.roots import debian_13

pytestmark = pytest.mark.xdist_group("shipping")  # one machine for all tests

EXAMPLE = Path(__file__).parents[2] / "ansible/examples/rsyslog.conf"
CONF = "/etc/shipping.conf"
LINE = {"message": 'says "so" \\ and ü, %s', "type": "cron", "status": "ended"}


@pytest.fixture(scope="module")
def shipping() -> Iterator[Machine]:
    """A machine with Debian's rsyslog, not started."""
    with booted("shipping", debian_13()) as machine:
        machine.run("apt-get", "update", "-qq", seconds=300)
        install = ("apt-get", "install", "--yes", "-qq", "--no-install-recommends", "rsyslog")
        machine.run("env", "DEBIAN_FRONTEND=noninteractive", *install, seconds=300)
        machine.run("systemctl", "disable", "--now", "rsyslog.service", "syslog.socket")
        yield machine


def test_rsyslog_accepts_the_configuration(shipping: Machine) -> None:
    shipping.copy_in(EXAMPLE, CONF)
    done = shipping.run("rsyslogd", "-N1", "-f", CONF)
    assert [line for line in done.stderr.splitlines() if "error" in line or "warning" in line] == []


def test_only_jobs_lines_arrive_and_they_are_unchanged(shipping: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(30)
        port = collector.getsockname()[1]
        text = EXAMPLE.read_text().replace('port="6514"', f'port="{port}"')
        (shipping.root / CONF.lstrip("/")).write_text(text)
        shipping.run("systemd-run", "--unit=ships", "rsyslogd", "-n", "-f", CONF, "-i", "/run/ships.pid")
        run = ("systemd-run", "--wait", "--quiet")
        shipping.run(*run, "--slice=system.slice", "echo", "not a job's")
        shipping.run(*run, "--slice=clock-nightly.slice", "--unit=clock-nightly-recount", "echo", json.dumps(LINE))
        connection, _ = collector.accept()
        with connection, connection.makefile(encoding="utf-8") as arrived:
            connection.settimeout(30)
            assert json.loads(arrived.readline()) == LINE
        shipping.run("systemctl", "stop", "ships.service")
