"""The documentation is true: commands for a clone run and print what the page shows, and tables match the code.

tests/documented.py names the tests that run the other commands.
"""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scheduled_tasks.cli import main as clocks
from scheduled_tasks.options import DEFAULTS, OPTIONS, RELAXATIONS
from scheduled_tasks.run.settings import KEYS
from tests.documented import DOCS, PAGES, ROOT, blocks, run_shown, table

STEPS = {page: [step for block in blocks(page, "clone") for step in block.steps] for page in PAGES}


def without_what_differs_each_time(text: str) -> str:
    text = re.sub(r'"(timestamp|run_id|host)": "[^"]*"', r'"\1": "…"', text)
    return re.sub(r'("duration": |duration=)[\d.]+', r"\1…", text)


def assert_shown(printed: str, shown: str) -> None:
    """Assert that the output is as the page shows it; a JSON line that it shortens with … has the shown fields."""
    lines = shown.splitlines()
    whole = []
    for line, actual in zip(lines, printed.splitlines(), strict=True):
        if line.endswith(", …}"):
            fields = json.loads(line.replace(", …}", "}").replace(": …", ': "…"'))
            printed_fields = json.loads(actual.replace(": …", ': "…"'))
            assert {name: printed_fields.get(name) for name in fields} == fields
            whole.append(actual)
        else:
            whole.append(line)
    assert printed.splitlines() == whole


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A fresh clone of the repository, with a .venv that uses the packages installed here."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / "clone" / name)
    venv = tmp_path / "clone/.venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    [site] = venv.glob("lib/python3*/site-packages")
    (site / "clone.pth").write_text(f"{tmp_path / 'clone'}\n{sysconfig.get_path('purelib')}\n")
    (venv / ".local").touch()
    yield tmp_path / "clone"
    subprocess.run(["bin/clocks", "setup", "--stop"], cwd=tmp_path / "clone", check=True)


@pytest.mark.parametrize("page", [page for page, steps in STEPS.items() if steps])
def test_a_pages_commands_run_and_print_what_it_shows(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ran = []
    for command, output in STEPS[page]:
        if command == "bin/test":  # it runs this test
            continue
        done = run_shown(command, cwd=clone, own=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if output.strip():
            assert_shown(without_what_differs_each_time(done.stdout), without_what_differs_each_time(output))
        ran.append(command)
    assert ran


def test_a_second_run_cancels_none(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    command = ["bin/run-task", "booking.cancel_expired_bookings"]
    for cancelled in (99, 0):
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert f'"cancelled": {cancelled},' in done.stdout


def test_every_command_of_clocks_is_documented() -> None:
    names = []
    for name in clocks.list_commands(click.Context(clocks)):
        command = clocks.get_command(click.Context(clocks), name)
        subcommands = command.commands if isinstance(command, click.Group) else {}
        names += [f"clocks {name} {subcommand}" for subcommand in subcommands] or [f"clocks {name}"]
    written = "\n".join(PAGES.values())
    assert [name for name in names if name not in written] == []


def test_the_table_of_options_is_the_codes_own() -> None:
    documented = {name: (cells[0], cells[2]) for name, cells in table("reference/clock-files.md", "option").items()}
    assert documented == {
        name: (f"`{option.directive}=`" if option.directive else "", f"`{DEFAULTS[name]}`" if name in DEFAULTS else "")
        for name, option in OPTIONS.items()
    }


def test_the_table_of_relaxations_is_the_codes_own() -> None:
    documented = {name: cells[0] for name, cells in table("reference/clock-files.md", "relax").items()}
    assert documented == {name: relaxation.purpose for name, relaxation in RELAXATIONS.items()}


def test_the_table_of_configuration_keys_is_the_codes_own() -> None:
    assert set(table("reference/configuration.md", "key")) == set(KEYS)


def test_the_table_of_log_fields_is_the_schemas_own() -> None:
    schema = json.loads((ROOT / "scheduled_tasks/run/log_line.schema.json").read_text())
    documented = {name.strip("`") for row in table("reference/log-lines.md", "field") for name in row.split(", ")}
    assert documented == set(schema["properties"])


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files(page: str) -> None:
    folder = ROOT if page == "README.md" else (DOCS / page).parent
    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", PAGES[page]) if not (folder / link).exists()] == []
