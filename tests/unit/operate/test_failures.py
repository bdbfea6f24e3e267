"""Failure notes: what a failed service leaves is read, and described for the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduled_tasks.operate.failures import read_failure

NOTE = {
    "UNIT": "clock-shop-count.service",
    "INVOCATION_ID": "22222222222242228222222222222222",
    "SERVICE_RESULT": "exit-code",
    "EXIT_CODE": "exited",
    "EXIT_STATUS": "3",
    "ExecMainStartTimestamp": "@1764121712.500000",
    "ExecMainExitTimestamp": "@1764121713.500000",
    "LastTriggerUSec": "Wed 2025-11-26 01:48:32 UTC",
    "CPUUsageNSec": "1500000000",
    "MemoryPeak": "4096",
}


def note(**values: str) -> str:
    return "\n".join(f"{key}={value}" for key, value in (NOTE | values).items())


@pytest.mark.parametrize(
    ("values", "error_type", "message"),
    [
        ({}, "exit-code", "its process exited with code 3 and recorded no result"),
        (
            {"EXIT_STATUS": "203"}, "exec",
            "systemd could not execute its command (exit code 203): see its unit's journal",
        ),
        ({"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}, "signal", "killed by SIGKILL"),
        ({"SERVICE_RESULT": "timeout", "EXIT_STATUS": "143"}, "timeout", "it exceeded its time limit"),
        (
            {"SERVICE_RESULT": "oom-kill", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}, "oom-kill",
            "killed by the kernel's OOM killer: it exceeded memory_max, or the machine had no memory left",
        ),
        ({"SERVICE_RESULT": "start-limit-hit"}, "start-limit-hit", "it was started too often, and systemd refused"),
    ],
)  # fmt: skip
def test_a_failure_has_a_kind_and_a_sentence(values: dict[str, str], error_type: str, message: str) -> None:
    failure = read_failure(note(**values))
    assert (failure.error_type, failure.error_message) == (error_type, message)


def test_a_note_is_read_with_its_instants_and_resources() -> None:
    failure = read_failure(note())
    assert (failure.clock, failure.job) == ("shop", "count")
    assert failure.started_at == datetime(2025, 11, 26, 1, 48, 32, 500000, UTC)
    assert failure.ended_at == datetime(2025, 11, 26, 1, 48, 33, 500000, UTC)
    assert failure.elapsed_at == datetime(2025, 11, 26, 1, 48, 32, tzinfo=UTC)
    assert (failure.cpu_seconds, failure.memory_peak) == (1.5, 4096)
    assert failure.row()["exit_code"] == 3


@pytest.mark.parametrize("unknown", ["", "[not set]", str((1 << 64) - 1)])
def test_resources_that_systemd_does_not_know_are_none(unknown: str) -> None:
    failure = read_failure(note(CPUUsageNSec=unknown, MemoryPeak=unknown))
    assert (failure.cpu_seconds, failure.memory_peak) == (None, None)


def test_the_slot_is_the_nominal_time_at_which_the_timer_elapsed_if_it_ever_did() -> None:
    job: dict[str, Any] = {"schedule": {"kind": "cron", "zone": "UTC", "seconds": [0]}}
    assert read_failure(note()).slot(job) == datetime(2025, 11, 26, 1, 48, tzinfo=UTC)
    assert read_failure(note(LastTriggerUSec="")).slot(job) is None


@pytest.mark.parametrize("text", ["", "UNIT=clock-shop-count.service", note(ExecMainStartTimestamp="Mon soon CET")])
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_failure(text)
