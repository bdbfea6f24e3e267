"""The script that a failed service starts: run by sh, with what systemd passes to it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scheduled_tasks.render.failure_note import FAILURE_SCRIPT, FOLDER

FAILED = {
    "MONITOR_UNIT": "clock-shop-count.service", "MONITOR_INVOCATION_ID": "2" * 32,
    "MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_CODE": "exited", "MONITOR_EXIT_STATUS": "3",
}  # fmt: skip


def notes(folder: Path, **monitor: str) -> dict[str, list[str]]:
    """The notes that the script writes, and their first lines; it must run its arguments too."""
    script = FAILURE_SCRIPT.replace(str(FOLDER), str(folder))
    done = subprocess.run(
        ["/bin/sh", "-ec", script, "sh", "echo", "reported"],
        env={**os.environ, **monitor},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == "reported\n"
    return {path.name: path.read_text().splitlines()[:5] for path in folder.glob("*")}


def test_a_failure_leaves_a_note(tmp_path: Path) -> None:
    assert notes(tmp_path, **FAILED) == {
        f"clock-shop-count.service.{'2' * 32}.note": [
            "UNIT=clock-shop-count.service", f"INVOCATION_ID={'2' * 32}", "SERVICE_RESULT=exit-code",
            "EXIT_CODE=exited", "EXIT_STATUS=3",
        ]
    }  # fmt: skip


@pytest.mark.parametrize("monitor", [{}, FAILED | {"MONITOR_SERVICE_RESULT": "success"}])
def test_without_a_failure_of_its_own_a_service_leaves_no_note(tmp_path: Path, monitor: dict[str, str]) -> None:
    """systemd passes nothing about several failures at once, and tells of the next start if there was one meanwhile."""
    assert notes(tmp_path, **monitor) == {}
