"""The handbook's commands run in order on a booted machine, and its first night is as recorded."""

from __future__ import annotations

import pytest

from tests.documented import commands
from tests.machine import first_night
from tests.machine.alarms.host import AGENT, EXAMPLE, EXIT_CODES, HOUR, URL, Host
from tests.machine.handbook import placed

pytestmark = pytest.mark.xdist_group("alarms")  # one machine for all of them


def test_the_first_night_is_as_its_recording_shows(host: Host, request: pytest.FixtureRequest) -> None:
    own = host.shell(f"cat {URL}").stdout

    def act(before: str) -> str:
        if before == "fail":
            host.fleet.write(example=EXAMPLE, night=first_night.NIGHT.format(hour=HOUR, options=""))
            host.shell("mkdir --mode=1777 /srv/reports; clocks apply")
            assert host.shell("clocks run night/report --wait", check=False).returncode == 1
            return str(host.rows("report")[0][3])
        if before == "database away":
            host.write(URL, "postgresql://shop@127.0.0.1:1/shop")
        if before == "mend":
            host.write(URL, own)
            options = ', read_write_paths=["/srv/reports"]'
            host.fleet.write(example=EXAMPLE, night=first_night.NIGHT.format(hour=HOUR, options=options))
        return ""

    try:
        recorded = first_night.record(host.machine, act)
    finally:
        host.write(URL, own)
        host.fleet.write(example=EXAMPLE)
        host.shell("rm /etc/scheduled-tasks/paused/*; clocks apply", check=False)
    if request.config.getoption("write_golden"):
        first_night.RECORDING.parent.mkdir(exist_ok=True)
        first_night.RECORDING.write_text(recorded)
    assert first_night.comparable(recorded) == first_night.comparable(first_night.RECORDING.read_text())


def test_the_handbooks_commands_run_in_their_order(host: Host) -> None:
    names = {
        "TASK": "example.say_hello",
        "FLAG": "EXAMPLE",
        "SLOT": "2026-11-21T05:00Z",
        "FROM": "2026-11-19",
        "TO": "2026-11-20",
        "AGENT": AGENT,
    }
    names["MONITORS_URL"] = host.shell(f"cat {URL}").stdout.replace("//postgres@", f"//{AGENT}@")
    for command in commands("how-to/operate.md", "machine"):
        if by_the_unit := [run for *_, run, at in host.rows("say_hello") if at]:
            names["RUN"] = by_the_unit[0]
        done = host.shell(placed(command, "example", "say_hello", **names), check=False)
        assert done.returncode in EXIT_CODES.get(command, {0}), f"{command}: {done}"
    refused = host.shell(f"runuser -u {AGENT} -- clocks status", check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (77, 1), refused
    slots = [row[4].isoformat() for row in host.rows("say_hello") if row[4] and row[0] == "ended"]
    assert sorted(slots) == ["2026-11-19T05:00:00+00:00", "2026-11-21T05:00:00+00:00"]
    shown = host.shell("systemctl show clock-example-say_hello.service --property=MemoryMax").stdout
    assert shown == "MemoryMax=1073741824\n"
    host.shell("systemctl revert clock-example-say_hello.service")
