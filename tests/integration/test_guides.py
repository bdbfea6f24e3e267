"""The guides are followed as somebody would: each file of theirs is written, each command run, in their order.

Their commands are the wheel's console scripts, in a project that knows nothing of this one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.test_documentation import steps
from tests.integration.test_strangers import STRANGERS, scripts

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)

__all__ = ["scripts"]


def follow(page: str, folder: Path, scripts: Path, database_url: str) -> list[str]:
    """Does what a page says; gives the commands that ran."""
    environment = {
        "PATH": f"{scripts}:/usr/bin:/bin:/usr/sbin",
        "HOME": os.environ["HOME"],
        "DATABASE_URL": database_url,
    }
    ran = []
    for language, text in BLOCK.findall((ROOT / "docs" / page).read_text()):
        if language == "python":
            name, _, body = text.removeprefix("# ").partition("\n")
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body)
            continue
        for command, output in steps(text):
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
    assert ran[0] == "clocks init --timezone Europe/Paris"
    links = [path.name for path in (tmp_path / "image/etc/systemd/system").iterdir() if path.name.endswith(".timer")]
    assert sorted(links) == ["clock-night-expire_baskets.timer", "clock-night-expire_baskets_at_noon.timer"]


def test_the_migration_guide_leads_in_and_out(scripts: Path, tmp_path: Path, database_url: str) -> None:
    project = Path(shutil.copytree(STRANGERS / "flask_bakery", tmp_path / "bakery"))
    follow("migrating.md", project, scripts, database_url)
    assert "bake" in (project / "bakery.cron").read_text()


def test_the_handbooks_commands_run(
    scripts: Path, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path(shutil.copytree(STRANGERS / "flask_bakery", tmp_path / "bakery"))
    environment = {"PATH": f"{scripts}:/usr/bin:/bin", "HOME": os.environ["HOME"], "DATABASE_URL": database_url}
    for command in ("clocks init --timezone Europe/Paris", "clocks features sync"):
        subprocess.run(command, shell=True, cwd=project, env=environment, check=True, capture_output=True)
    assert len(follow("handbook.md", project, scripts, database_url)) == 8


def test_every_exit_code_of_run_task_is_in_the_handbook() -> None:
    codes = re.findall(r"^\| (\d+) \|", (ROOT / "docs/run-task.md").read_text(), re.MULTILINE)
    handbook = (ROOT / "docs/handbook.md").read_text()
    assert [code for code in codes if code != "0" and f"exit code {code}" not in handbook] == []
