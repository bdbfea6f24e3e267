"""Each alarm in the handbook's table is raised for real, and mended by the commands in its row as they stand there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.machine.alarms import of_hosts, of_runs
from tests.machine.alarms.host import ROWS, Host

pytestmark = pytest.mark.xdist_group("alarms")  # one machine for all of them

ALARMS: dict[str, Callable[[Host, str], None]] = {
    "a unit `clock-….service` failed": of_runs.a_failed_unit,
    "exit code 1 in its last line": of_runs.exit_code_1,
    "exit code 64": of_runs.exit_code_64,
    "`likely the sandbox, …` in its reason": of_runs.likely_the_sandbox,
    "`No space left on device`": of_runs.no_space_left,
    "exit code 69": of_runs.exit_code_69,
    "`PostgreSQL is unreachable`": of_hosts.postgresql_unreachable,
    "exit code 75": of_runs.exit_code_75,
    "exit code 78": of_runs.exit_code_78,
    "exit code 143, or `stopped by SIGTERM`": of_runs.exit_code_143,
    "exit code 137, `oom-kill`": of_runs.exit_code_137,
    "a line with another exit code": of_runs.another_exit_code,
    "`failed`, `signal` or `exec` in its row": of_runs.signal_or_exec,
    "`missed`": of_runs.missed,
    "`lost`": of_runs.lost,
    "a run started late": of_runs.started_late,
    "a run takes longer than expected": of_runs.takes_longer,
    "a run ended sooner than expected": of_runs.ended_sooner,
    "a unit `clock-failed@….service` failed": of_hosts.the_failure_service_failed,
    "a notice is not sent": of_hosts.a_notice_is_not_sent,
    "`the watch of this host last succeeded at …`, or `clock-watch.service` failed": of_hosts.no_watch,
    "`no heartbeat from HOST`, or a host died": of_hosts.no_heartbeat,
    "a host no longer exists, or was reinstalled": of_hosts.a_host_is_gone,
    "`the name HOST belongs to another machine`": of_hosts.another_machine,
    "`skipped`, `paused: …`": of_runs.skipped_paused,
    "`skipped`, `feature … is not active`": of_runs.skipped_feature,
    "`skipped`, `… it may start at most … late`": of_runs.skipped_late,
    "nothing at all at its time": of_hosts.nothing_at_its_time,
    "a deploy ended with an error": of_hosts.a_deploy_failed,
    "an apply was interrupted": of_hosts.an_interrupted_apply,
    "a credential leaked, or expires": of_hosts.a_credential_to_rotate,
    "the new release is bad": of_hosts.a_bad_release,
}


def test_each_row_of_the_table_is_tried() -> None:
    assert list(ROWS) == list(ALARMS)


@pytest.mark.parametrize("row", ALARMS)
def test_an_alarm_is_raised_and_mended_by_the_commands_in_its_row(alarmed: Host, row: str) -> None:
    ALARMS[row](alarmed, row)
