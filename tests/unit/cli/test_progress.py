"""A bar shows how far a long command is, on a terminal only, and is gone when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.documented import ROOT
from tests.pseudo_terminal import on_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

CLOCKS = (sys.executable, "-P", "-m", "scheduled_tasks.cli")
CLOCK_FILE = """
from apscheduler.schedulers.blocking import BlockingScheduler
scheduler = BlockingScheduler()
@scheduler.scheduled_job("cron", hour={hour})
def work{hour}(): ...
"""
TEXTS = {"crontab": "{hour} 3 * * * /bin/true\n", "apscheduler": CLOCK_FILE}


@pytest.mark.parametrize("kind", TEXTS)
def test_an_import_of_many_files_has_a_bar_on_a_terminal_only(kind: str, tmp_path: Path) -> None:
    for hour in range(3):
        (tmp_path / f"file{hour}").write_text(TEXTS[kind].format(hour=hour))
    command = [*CLOCKS, "import", kind, "file0", "file1", "file2", "--timezone", "UTC"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    seen = on_a_terminal([*command, "--output", "one"], env=environment, cwd=tmp_path)
    assert seen.exit_code == 0, seen.text
    assert [count for count in ("0/3", "1/3", "2/3", "3/3") if count in seen.text] == ["0/3", "1/3", "2/3", "3/3"]
    last_erasure = seen.text.rindex("\x1b[2K")
    assert "/3" not in seen.text[last_erasure:]
    piped = subprocess.run(
        [*command, "--output", "two"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "/3" not in piped.stderr
    dumb = on_a_terminal([*command, "--output", "three"], env=environment | {"TERM": "dumb"}, cwd=tmp_path)
    assert "/3" not in dumb.text
