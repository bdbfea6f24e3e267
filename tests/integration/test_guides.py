"""The guides are followed as a reader would: each of their files is written and each command run, in order.

Their commands are the wheel's console scripts, in a project that does not know this one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documented import PAGES, blocks
from tests.integration.test_strangers import STRANGERS, scripts

__all__ = ["scripts"]
pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("strangers")]  # the wheel is installed once


def follow(page: str, folder: Path, scripts: Path, database_url: str) -> list[str]:
    """Follow a page; return the commands that ran."""
    environment = {
        "PATH": f"{scripts}:/usr/bin:/bin:/usr/sbin",
        "HOME": os.environ["HOME"],
        "DATABASE_URL": database_url,
    }
    ran = []
    for block in blocks(page):
        if block.language == "python":
            name, _, body = block.text.removeprefix("# ").partition("\n")
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body)
            continue
        if block.runner != "guide":
            continue
        for command, output in block.steps:
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
            if output.strip():
                shown = (done.stdout or done.stderr).strip()
                assert [line.split() for line in shown.splitlines()] == [
                    line.split() for line in output.strip().splitlines()
                ], command
            ran.append(command)
    return ran


def test_the_tutorial_leads_from_nothing_to_units(scripts: Path, tmp_path: Path, database_url: str) -> None:
    ran = follow("tutorial.md", tmp_path, scripts, database_url)
    assert ran[0] == "clocks init --package shop --timezone Europe/Paris"
    links = [path.name for path in (tmp_path / "image/etc/systemd/system").iterdir() if path.name.endswith(".timer")]
    night = ["clock-night-expire_baskets.timer", "clock-night-expire_baskets_at_noon.timer"]
    assert sorted(links) == [*night, "clock-soon-expire_soon.timer", "clock-watch.timer"]


def test_the_migration_guide_leads_to_this_project_and_back(scripts: Path, tmp_path: Path, database_url: str) -> None:
    project = Path(shutil.copytree(STRANGERS / "flask_bakery", tmp_path / "bakery"))
    follow("how-to/migrate.md", project, scripts, database_url)
    assert "bake" in (project / "bakery.cron").read_text()


def test_the_on_call_guide_has_every_exit_code_of_run_task() -> None:
    section = PAGES["reference/exit-codes.md"].partition("## clocks")[0]
    codes = re.findall(r"^\| (\d+) \|", section, re.MULTILINE)
    assert len(codes) == 6
    assert [code for code in codes if code != "0" and f"exit code {code}" not in PAGES["how-to/operate.md"]] == []
