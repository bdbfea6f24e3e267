"""Clock files that a real project has by accident: they end, hang, crash, fork or print while they are read.

Each is read as the commands read it, in a child process, beside a sound one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduled_tasks import project_process
from scheduled_tasks.clock_data import from_data, to_data
from scheduled_tasks.clock_file import read_clock, read_clocks
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.operate import migrations
from scheduled_tasks.project_process import ProjectProcess, UnansweredError
from tests.machine.waiting import wait_for
from tests.projects import import_shop

GOLDEN = Path(__file__).parents[1] / "golden"
REPOSITORY = GOLDEN.parents[1]
PROJECT = ReadingContext(domains="shop.tasks", timezone="Europe/Paris", now=datetime(2026, 11, 23, tzinfo=UTC))
SOUND = "from scheduled_tasks import Clock\nfrom shop.tasks.booking import count\nscheduler = Clock()\n"
SOUND += "scheduler.add_job(count, 'cron', id='{}', hour=3)\n"
ENDINGS = {
    "sys.exit(0)": "3: raises SystemExit: 0",
    "raise KeyboardInterrupt": "3: raises KeyboardInterrupt: ",
    "os._exit(0)": "1: ends its process with exit code 0 while it is read; a clock file only declares jobs",
    "os.kill(os.getpid(), 9)": "1: is killed by SIGKILL while it is read; a clock file only declares jobs",
    "import ctypes; ctypes.string_at(0)": "3: is killed by SIGSEGV while it is read; a clock file only declares jobs",
    "while True: pass": "3: doesn't end within 2 s while it is read; a clock file only declares jobs",
    "import time; time.sleep(1000)": "3: doesn't end within 2 s while it is read; a clock file only declares jobs",
    "while True: print('again')": "3: doesn't end within 2 s while it is read; a clock file only declares jobs",
    "os.fork()": "3: starts a copy of its process, os.fork at {file}:3 while it is read; a clock file",
    "os.fork() or os._exit(0)": "3: starts a copy of its process, os.fork at {file}:3 while it is read; a clock file",
    "os.closerange(3, 256)": "1: ends its process with exit code 1 while it is read; a clock file only declares jobs",
    "input()": "3: raises EOFError: EOF when reading a line",
}


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    import_shop(GOLDEN, monkeypatch)


def write(folder: Path, **texts: str) -> list[tuple[str, Path]]:
    files = [(name, folder / f"{name}.py") for name in texts]
    for (_, path), text in zip(files, texts.values(), strict=True):
        path.write_text(text)
    return files


def _limit(monkeypatch: pytest.MonkeyPatch, *, seconds: float, to: int) -> None:
    """Limit the time for one file, by its number, and leave the others all theirs, however busy the machine is."""
    ask, usual = ProjectProcess.ask, project_process.TIMEOUT

    def limited(process: ProjectProcess, number: int) -> object:
        monkeypatch.setattr(project_process, "TIMEOUT", seconds if number == to else usual)
        return ask(process, number)

    monkeypatch.setattr(ProjectProcess, "ask", limited)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_clock_file_that_lets_its_process_not_answer_is_a_fault_of_that_file(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if "end within" in ENDINGS[ending]:
        _limit(monkeypatch, seconds=2.0, to=1)
    bad = f"import os, sys\n{SOUND.partition(chr(10))[0]}\n{ending}\n" + SOUND.format("never")
    files = write(tmp_path, before=SOUND.format("first"), ends=bad, after="scheduler = 1\n")
    with pytest.raises(FaultsError) as error:
        read_clocks(files, PROJECT)
    ends, after = error.value.faults
    expected = ENDINGS[ending].format(file=tmp_path / "ends.py")
    assert str(ends).startswith(f"{tmp_path}/ends.py:{expected}")
    assert str(after).startswith(f"{tmp_path}/after.py:1: has no clock")
    assert capfd.readouterr().out == ""


def test_what_a_clock_file_prints_is_a_note_that_names_it_and_no_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noisy = "import os, sys, subprocess\nprint('one')\nos.system('echo two')\nsubprocess.run(['echo', 'three'])\n"
    notes: list[str] = []
    files = write(tmp_path, quiet=SOUND.format("a"), noisy=noisy + SOUND.format("b"), last=SOUND.format("c"))
    clocks = read_clocks(files, PROJECT, notes.append)
    assert [job.id for clock in clocks for job in clock.jobs] == ["a", "b", "c"]
    assert notes == [f"{tmp_path}/noisy.py printed while it was read:\n    one\n    two\n    three"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("timezone", "zone", "fault"),
    [
        ("'Asia/Tokyo'", "Asia/Tokyo", ""),
        ("ZoneInfo('Asia/Tokyo')", "Asia/Tokyo", ""),
        ("UTC", "UTC", ""),
        ("''", "Europe/Paris", ""),
        ("'Factory'", "", "timezone='Factory': stands for a zone that nobody has set; write a name of the tz database"),
        ("'localtime'", "", "timezone='localtime': the host's own zone, or a copy; write a name of the tz database"),
        ("'europe'", "", "timezone='europe': unknown time zone; write a name of the tz database"),
        ("9", "", "timezone=9: not a zone with a name; write a name of the tz database"),
    ],
)
def test_the_zone_of_a_clock_is_a_name_or_a_zone_object(tmp_path: Path, timezone: str, zone: str, fault: str) -> None:
    text = (
        f"from datetime import UTC\nfrom zoneinfo import ZoneInfo\n{SOUND.replace('Clock()', f'Clock({timezone=!s})')}"
    )
    [(name, path)] = write(tmp_path, one=text.format("job"))
    if not fault:
        assert [job.trigger.zone for job in read_clock(path, name, PROJECT).jobs] == [zone]
        return
    with pytest.raises(FaultsError) as error:
        read_clock(path, name, PROJECT)
    assert [str(each).partition(": ")[2] for each in error.value.faults] == [fault]


def test_a_crash_shows_what_the_file_printed(tmp_path: Path) -> None:
    files = write(tmp_path, ends="import os\nprint('no licence', flush=True)\nos._exit(3)\n")
    with pytest.raises(FaultsError, match=r"ends its process with exit code 3(?s:.*); it printed:\n    no licence$"):
        read_clocks(files, PROJECT)


def test_a_thread_of_one_file_that_ends_the_process_does_no_harm_to_the_next(tmp_path: Path) -> None:
    mark = tmp_path / "the next one is being read"
    bomb = f"""
import os, threading, time
def wait():
    while not os.path.exists({str(mark)!r}): time.sleep(0.01)
    os._exit(0)
threading.Thread(target=wait).start()
"""
    slow = f"""
import os, time
if not os.path.exists({str(mark)!r}):
    open({str(mark)!r}, "w").close()
    time.sleep(1000)
"""
    bomb, slow = bomb + SOUND.format("a"), slow + SOUND.format("b")
    clocks = read_clocks(write(tmp_path, bomb=bomb, slow=slow), PROJECT)
    assert [clock.name for clock in clocks] == ["bomb", "slow"]


def test_nothing_that_a_clock_file_starts_outlives_its_reading(tmp_path: Path) -> None:
    started = (
        f"import subprocess\np = subprocess.Popen(['sleep', '1000'])\nopen('{tmp_path}/pid', 'w').write(str(p.pid))\n"
    )
    read_clocks(write(tmp_path, starts=started + SOUND.format("a")), PROJECT)
    state = Path("/proc", (tmp_path / "pid").read_text(), "stat")

    def has_ended() -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):
            return state.read_text().split()[2] == "Z"  # its new parent has yet to reap it
        return True

    wait_for("the end of what was killed", has_ended)


def test_multiprocessing_is_no_copy_of_the_reading_process(tmp_path: Path) -> None:
    pool = "import multiprocessing\npool = multiprocessing.get_context('fork').Pool(1)\npool.map(abs, [-1])\n"
    assert len(read_clocks(write(tmp_path, pool=pool + SOUND.format("a")), PROJECT)) == 1


def test_every_clock_comes_out_of_the_child_process_as_it_was_read() -> None:
    compared = 0
    for path in sorted(GOLDEN.glob("*/clock.py")):
        try:
            clock = read_clock(path, path.parent.name, PROJECT)
        except FaultsError:
            continue
        passed = from_data(json.loads(json.dumps(to_data(clock))))
        assert passed == clock
        assert [job.trigger.warnings for job in passed.jobs] == [job.trigger.warnings for job in clock.jobs]
        compared += len(clock.jobs)
    assert compared > 30


def test_the_projects_other_code_can_not_end_us_either() -> None:
    with ProjectProcess(lambda _request: sys.exit(0)) as process, pytest.raises(UnansweredError, match="SystemExit: 0"):
        process.ask()
    with ProjectProcess(lambda request: request * 2) as process:
        assert process.ask([1]) == ([1, 1], "")

    def refuse(_request: object) -> None:
        raise ConfigurationError("no such thing")

    with ProjectProcess(refuse) as process, pytest.raises(ConfigurationError, match=r"^no such thing$"):
        process.ask()


def test_a_package_of_migrations_that_ends_its_process_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "ends_migrations").mkdir()
    (tmp_path / "ends_migrations/__init__.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(ConfigurationError, match=r"^the package of migrations ends_migrations: the code raises System"):
        migrations._files("ends_migrations")
    (tmp_path / "ends_migrations/__init__.py").write_text("print('hello')\n")
    (tmp_path / "ends_migrations/0001_one.sql").write_bytes(b"SELECT '\xff'")
    assert migrations._files("ends_migrations") == [("0001_one.sql", b"SELECT '\xff'")]


COMMANDS = (("check", "--without-database", "--json"), ("list", "--json"), ("features", "list", "--json"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("ending", ["os._exit(0)", "sys.exit(0)"])
def test_no_command_succeeds_if_the_projects_code_ends_its_process(
    command: tuple[str, ...], ending: str, tmp_path: Path
) -> None:
    package = tmp_path / "ends"
    (package / "clocks").mkdir(parents=True)
    for name in ("__init__", "clocks/__init__", "tasks"):
        (package / f"{name}.py").touch()
    for name in ("clocks/one", "features"):
        (package / f"{name}.py").write_text(f"import os, sys\n{ending}\n")
    config = tmp_path / "config.toml"
    config.write_text('domains = "ends.tasks"\nclocks = "ends.clocks"\nfeatures = "ends.features:Toggle"\n')
    environment = {
        **os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}", "SCHEDULED_TASKS_CONFIG": str(config),
        "DATABASE_URL": "postgresql://127.0.0.1:1/nobody",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scheduled_tasks.cli", *command],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {65, 78}
    assert ("one.py:" if command[0] != "features" else "features = 'ends.features:Toggle': the code ") in (
        done.stdout + done.stderr
    )


def test_a_project_that_prints_does_not_spoil_json(tmp_path: Path) -> None:
    package = tmp_path / "prints"
    (package / "clocks").mkdir(parents=True)
    (package / "__init__.py").write_text("print('hello')\n")
    (package / "clocks/__init__.py").touch()
    (package / "tasks.py").write_text("print('tasks')\ndef count(): 'Count.'\n")
    clock = "print('clock')\nfrom scheduled_tasks import Clock\nfrom prints.tasks import count\n"
    (package / "clocks/one.py").write_text(f"{clock}scheduler = Clock(timezone='UTC')\n")
    config = tmp_path / "config.toml"
    config.write_text('domains = "prints"\nclocks = "prints.clocks"\nrun_task = "/bin/true"\n')
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}", "SCHEDULED_TASKS_CONFIG": str(config)}
    for command in COMMANDS[:2]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "scheduled_tasks.cli", *command],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        json.loads(done.stdout)
        assert "one.py printed while it was read:\n    clock\n    hello" in done.stderr


def test_a_clock_that_passes_app_has_a_fault_if_no_application_is_configured(tmp_path: Path) -> None:
    text = "from scheduled_tasks import Clock, app\nfrom shop.tasks.booking import remind\nscheduler = Clock()\n"
    text += "scheduler.add_job(remind, 'cron', [app, 'mail'], id='remind', hour=3)\n"
    (tmp_path / "clock.py").write_text(text)
    assert read_clock(tmp_path / "clock.py", "clock", PROJECT).jobs[0].args == [{"@": "app"}, "mail"]
    with pytest.raises(FaultsError) as error:
        read_clock(tmp_path / "clock.py", "clock", replace(PROJECT, has_application=False))
    assert [(fault.line, fault.problem, fault.instead) for fault in error.value.faults] == [
        (
            4,
            "passes app, and the configuration names no application: the task would get None",
            "write app = 'module:factory' in the configuration, or leave app out",
        )
    ]
