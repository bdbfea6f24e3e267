"""Golden cases: tests/golden/<case>/clock.py renders to expected/*, or has the faults in expected/faults.txt.

Files beside it change the case: `systemd` has the version of a newer systemd, `user` is for a user's own systemd,
`ejected` is for `clocks eject`, `listens` for a host with a listener, `clocks` has the command of a host with a
database, `credentials` the names of the host's credentials, `routes` those of the configured routes,
`sender_credentials` those of the credentials of the sender of notices, `sender_network` the addresses that it can
reach, and `metrics_folder` where the watch writes metrics. left_out.txt has the options that this systemd doesn't
support.

A new case is a new folder; `pytest tests/unit/render/test_golden.py --write-golden` writes what it expects: read that.
"""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.deploy.switch import write_set
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.options import OPTIONS, RELAXATIONS
from scheduled_tasks.options.alert_faults import NotifyNames
from scheduled_tasks.render.eject import eject
from scheduled_tasks.render.host import Host
from scheduled_tasks.render.units import render, unsupported_options
from tests.projects import import_shop

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("*/clock.py"))
HOST = Host(
    run_task="/opt/scheduled-tasks/current/bin/run-task",
    configuration=Path("/etc/scheduled-tasks/config.toml"),
    user="scheduled-tasks",
    credentials=("database_url",),
    operators_credentials=("operators_database_url",),
)
PROJECT = ReadingContext(domains="shop.tasks", timezone="", now=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    import_shop(GOLDEN, monkeypatch)


def words_of(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text().split()) if path.exists() else ()


def rendered(case: Path) -> dict[str, str]:
    try:
        version = case / "systemd"
        host = replace(HOST, systemd_version=int(version.read_text())) if version.exists() else HOST
        if (case / "user").exists():
            host = replace(host, is_user=True, runtime="/run/user/1000")
        if (case / "listens").exists():
            host = replace(host, listens=True)
        if (command := case / "clocks").exists():
            host = replace(host, clocks_command=command.read_text().strip())
        if (names := case / "credentials").exists():
            host = replace(host, credentials=tuple(names.read_text().split()))
        if (network := case / "sender_network").exists():
            host = replace(host, sender_network=words_of(network))
        if (folder := case / "metrics_folder").exists():
            host = replace(host, metrics_folder=folder.read_text().strip())
        routes, credentials = (words_of(case / name) for name in ("routes", "sender_credentials"))
        project = replace(PROJECT, notify=NotifyNames(routes, credentials))
        clocks = [read_clock(case / "clock.py", case.name, project)]
        files = eject(clocks, host) if (case / "ejected").exists() else dict(render(clocks, host))
        if sentences := unsupported_options(clocks, host):
            files["left_out.txt"] = "".join(f"{sentence}\n" for sentence in sentences)
    except FaultsError as error:
        files = {"faults.txt": f"{error}\n"}
    return {path: text.replace(str(case), "/srv/shop/clocks") for path, text in files.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_clock_file_renders_to_the_expected_files(case: Path, request: pytest.FixtureRequest) -> None:
    files = rendered(case)
    if request.config.getoption("--write-golden"):
        shutil.rmtree(case / "expected", ignore_errors=True)
        write_set(files, case / "expected")
    expected = {
        str(path.relative_to(case / "expected")): path.read_text()
        for path in (case / "expected").rglob("*")
        if path.is_file()
    }
    assert files == expected


def test_every_option_and_every_relaxation_has_a_case() -> None:
    written = "".join((case / "clock.py").read_text() for case in CASES if (case / "expected/clock.slice").exists())
    assert [option for option in OPTIONS if f"{option}=" not in written] == []
    assert [name for name in RELAXATIONS if f'"{name}"' not in written] == []


def test_no_unit_names_a_file_that_only_a_checkout_has() -> None:
    units = "".join(path.read_text() for path in GOLDEN.glob("*/expected/**/*") if path.is_file())
    assert "[Service]" in units
    assert not [line for line in units.splitlines() if line.startswith("#") and ("docs/" in line or "decision" in line)]
