"""The page on a unix socket of systemd: no process before the first reader, and none when nobody reads any more."""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.page.access import configured
from scheduled_tasks.page.access.actor import Identity
from scheduled_tasks.page.access.forgery import token_of
from scheduled_tasks.page.serve_socket import new_socket, passed_socket
from tests.documented import PAGES
from tests.integration.operate.roles import PAGE, granted
from tests.integration.operate.simulated_services import host_with
from tests.machine.waiting import wait_for
from tests.roots import lacking, require
from tests.unix_http import UnixConnection


def test_the_first_reader_starts_the_page_and_the_page_leaves_after_the_last_one(tmp_path: Path) -> None:
    require(lacking("socket activation", {"systemd-socket-activate": "systemd"}, root=False))
    path = tmp_path / "page.sock"
    command = ["systemd-socket-activate", f"--listen={path}", sys.executable, "-m", "tests.integration.page.activated"]
    page = subprocess.Popen([*command, "0.5"], stderr=subprocess.DEVNULL)
    try:
        wait_for("the socket", lambda: _is_listening(path))
        assert _program_of(page.pid) == "systemd-socket-activate"  # no Python before the first reader
        connection = UnixConnection(path)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read().decode()) == (200, pwd.getpwuid(os.getuid()).pw_name)
        assert "python" in _program_of(page.pid)
        connection.close()
        assert page.wait(60) == 0
    finally:
        page.kill()
        page.wait()


def _is_listening(path: Path) -> bool:
    """Whether somebody listens on a unix socket; its file is there a moment earlier (proc_net(5), __SO_ACCEPTCON)."""
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return any(fields[3] == "00010000" and fields[-1] == str(path) for fields in sockets)


def _program_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0].rpartition("/")[2]


def test_a_socket_of_its_own_is_for_its_user_and_group_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "page.sock"
    for _ in range(2):
        with new_socket(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
    path.unlink()
    path.write_text("something else")
    with pytest.raises(ConfigurationError, match="is no socket"):
        new_socket(path)


def test_a_page_without_a_passed_socket_says_what_to_start() -> None:
    with pytest.raises(ConfigurationError, match=r"start clocks-page\.socket, or name a path"):
        passed_socket()


CONFIGURATION = """
domains = "shop.tasks"
[page.clock_operators]
shop = ["{me}"]
"""


def test_who_connects_acts_on_named_clocks_only_with_the_pages_own_role(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    me, path = pwd.getpwuid(os.getuid()).pw_name, tmp_path / "page.sock"
    host_with(connection, "app1", "shop/sell", "night/report")
    (tmp_path / "config.toml").write_text(CONFIGURATION.format(me=me))
    as_page = f"{database_url}&user={PAGE}"
    environment = os.environ | {"SCHEDULED_TASKS_CONFIG": f"{tmp_path}/config.toml", "PAGE_DATABASE_URL": as_page}
    command = [sys.executable, "-m", "scheduled_tasks.cli", "page", "--socket", str(path)]
    csrf = token_of(Identity(me), configured({}, as_page).key)

    def post(kind: str, **fields: str) -> int:
        page_connection = UnixConnection(path)
        body = urlencode({"csrf": csrf, "reason": "stocktaking", **fields})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        page_connection.request("POST", f"/act/{kind}", body, headers)
        status = page_connection.getresponse().status
        page_connection.close()
        return status

    with granted(connection):
        page = subprocess.Popen(command, env=environment)
        try:
            wait_for("the page", lambda: _answers(path))
            assert [post("pause", clock="shop"), post("resume", clock="shop")] == [303, 303]
            assert post("run", clock="shop", job="sell", host="app1") == 303
            assert [post("pause", clock="night"), post("pause"), post("run", clock="night", job="report")] == [403] * 3
            assert post("flag", flag="SELL", active="yes") in {403, 404}
            assert post("pause", clock="shop", csrf="0" * 64) == 403
        finally:
            page.terminate()
            page.wait()
    assert connection.execute("SELECT clock, paused_by, reason, resumed_by, resume_reason FROM pause").fetchall() == [
        ("shop", me, "stocktaking", me, "stocktaking")
    ]
    assert connection.execute("SELECT kind, clock, asked_by FROM request").fetchall() == [("run", "shop", me)]


def _answers(path: Path) -> bool:
    page_connection = UnixConnection(path)
    try:
        page_connection.request("GET", "/")
        return page_connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        page_connection.close()


def test_the_units_of_the_guide_are_valid_and_hardened(tmp_path: Path) -> None:
    require(lacking("checking units", {"systemd-analyze": "systemd"}, root=False))
    units = re.findall(r"```ini\n(.*?)```", PAGES["how-to/serve-the-page.md"], re.DOTALL)
    for name, text in zip(("clocks-page.socket", "clocks-page.service"), units, strict=True):
        there = text.replace("/opt/scheduled-tasks/current/bin/clocks", "/bin/true").replace(
            "=clocks-page\n", "=root\n"
        )
        (tmp_path / name).write_text(there)
    both = [str(tmp_path / "clocks-page.socket"), str(tmp_path / "clocks-page.service")]
    verified = subprocess.run(["systemd-analyze", "verify", *both], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    scored = ["systemd-analyze", "security", "--offline=yes", "--threshold=16", both[1]]
    assert subprocess.run(scored, capture_output=True, check=False).returncode == 0
