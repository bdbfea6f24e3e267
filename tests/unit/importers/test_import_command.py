"""`clocks import` as a person uses it: its exit codes, what it says besides the report, and a project from nothing."""

from __future__ import annotations

import json
import tomllib
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scheduled_tasks.cli import main
from scheduled_tasks.run import settings
from tests.unit.importers.golden_import import NOW, ROOT

UNCALLED = """from apscheduler.schedulers.background import BackgroundScheduler

def tidy():
    print("tidy")

def init_scheduler():
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(tidy, "cron", hour=5)
    scheduler.start()
"""
PLAIN = """from apscheduler.schedulers.blocking import BlockingScheduler
from helpers import LIMIT

scheduler = BlockingScheduler(timezone="Europe/Paris")

@scheduler.scheduled_job("cron", hour=4)
def tidy():
    print(LIMIT)
"""


def run(folder: Path, *arguments: str) -> Result:
    settings.load.cache_clear()
    try:
        with chdir(folder):
            return CliRunner(env={"PYTHONPATH": str(ROOT)}).invoke(main, ["import", *arguments, "--from", NOW])
    finally:
        settings.load.cache_clear()


def entries(folder: Path) -> list[tuple[str, str]]:
    report = json.loads((folder / "imported/report.json").read_text())
    return [(entry["job"], entry["outcome"]) for entry in report["entries"]]


def test_a_run_that_adds_nothing_names_the_function_that_nobody_called_and_keeps_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(UNCALLED)
    done = run(tmp_path, "apscheduler", "clock.py", "--execute", "--timezone", "UTC")
    assert done.exit_code == 3
    assert done.stderr == (
        "clock.py: its run added no job: init_scheduler() would, and nobody called it: import with --execute --call "
        "init_scheduler; for now its jobs are imported as read\n"
    )
    assert entries(tmp_path) == [("clock/tidy", "different")]


def test_a_function_that_is_called_by_name_adds_its_jobs(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(UNCALLED)
    done = run(tmp_path, "apscheduler", "clock.py", "--execute", "--call", "init_scheduler", "--timezone", "UTC")
    assert (done.exit_code, done.stderr) == (0, "")
    assert entries(tmp_path) == [("clock/tidy", "exact")]


def test_a_function_is_called_only_where_the_file_is_run(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(UNCALLED)
    done = run(tmp_path, "apscheduler", "clock.py", "--call", "init_scheduler", "--timezone", "UTC")
    assert (done.exit_code, done.stderr) == (64, "clocks: --call runs a function of the file: write --execute too\n")


def test_what_the_files_import_and_this_environment_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(f"import one_that_nobody_has.part\nimport json\n{PLAIN}")
    (tmp_path / "helpers.py").write_text("LIMIT = 3\n")
    done = run(tmp_path, "apscheduler", "clock.py")
    assert (done.exit_code, done.stderr) == (0, "not installed here, and the files import it: one_that_nobody_has\n")


def test_a_folder_with_a_clock_becomes_a_project(tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    folder.mkdir()
    (folder / "clock.py").write_text(PLAIN)
    (folder / "helpers.py").write_text("LIMIT = 3\n")
    done = run(folder, "apscheduler", "clock.py", "--into", ".", "--timezone", "Europe/Paris")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "1 imported exactly")
    assert done.stderr == (
        "outside the project's package: helpers: the tasks use them, and a wheel of the project needs them too\n"
    )
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    assert written == [
        "clock.py", "helpers.py", "my_shop/__init__.py", "my_shop/clocks/__init__.py", "my_shop/clocks/clock.py",
        "my_shop/features.py", "my_shop/tasks/__init__.py", "my_shop/tasks/clock.py",
    ]  # fmt: skip
    table = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["scheduled_tasks"]
    assert (table["clocks"], table["domains"], table["timezone"]) == ("my_shop.clocks", "my_shop.tasks", "Europe/Paris")


def test_an_import_into_a_project_uses_its_configuration_and_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(PLAIN)
    (tmp_path / "helpers.py").write_text("LIMIT = 3\n")
    table = '[tool.scheduled_tasks]\ndomains = "shop.work"\nclocks = "shop.times"\ntimezone = "UTC"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    assert run(tmp_path, "apscheduler", "clock.py", "--into", ".").exit_code == 0
    assert (tmp_path / "pyproject.toml").read_text() == table
    assert "from shop.work.clock import tidy" in (tmp_path / "shop/times/clock.py").read_text()
    before = {path: path.read_text() for path in tmp_path.rglob("*.py")}
    done = run(tmp_path, "apscheduler", "clock.py", "--into", ".", "--output", "again")
    assert done.exit_code == 64
    assert "there already, and nothing is overwritten" in done.stderr
    assert {path: path.read_text() for path in tmp_path.rglob("*.py")} == before
    assert not (tmp_path / "again").exists()


def test_a_crontab_goes_into_a_project_too(tmp_path: Path) -> None:
    (tmp_path / "nightly").write_text("0 5 * * * /usr/bin/true\n")
    done = run(tmp_path, "crontab", "nightly", "--into", ".", "--package", "shop", "--timezone", "Europe/Paris")
    assert done.exit_code == 0
    assert "command.run" in (tmp_path / "shop/clocks/nightly.py").read_text()


@pytest.mark.parametrize("format_of_lines", [["--format", "user"], ["--format", "system"]], ids=" ".join)
def test_what_a_person_says_of_a_file_is_not_assumed(tmp_path: Path, format_of_lines: list[str]) -> None:
    (tmp_path / "cron.d").mkdir()
    (tmp_path / "cron.d/shop").write_text("0 5 * * * deploy /usr/bin/true\n")
    run(tmp_path, "crontab", "cron.d/shop", "--timezone", "Europe/Paris", *format_of_lines)
    assert [outcome for _, outcome in entries(tmp_path)] == ["exact"]


def test_the_zone_of_a_host_that_only_the_configuration_names_is_assumed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.scheduled_tasks]\ntimezone = "Europe/Paris"\n')
    (tmp_path / "nightly").write_text("0 5 * * * /usr/bin/true\n")
    run(tmp_path, "crontab", "nightly")
    report = json.loads((tmp_path / "imported/report.json").read_text())
    assert [difference["text"] for entry in report["entries"] for difference in entry["differences"]] == [
        "it has the zone of the host that it ran on, taken to be the configured one, Europe/Paris"
    ]
