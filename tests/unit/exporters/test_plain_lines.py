"""Jobs of command.run go out as the crontab lines that they were, and a line does what its job does.

Both are run: the job by command.run, the line by its SHELL, with the variables and the input that cron gives it.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.conversion_report import Report
from scheduled_tasks.exporters.crontab import export
from scheduled_tasks.importers.crontab.convert import import_files
from scheduled_tasks.importers.crontab.lines import read_lines
from scheduled_tasks.importers.request import ImportRequest
from tests.unit.exporters.clock_for_export import NOW

HERE = pwd.getpwuid(os.getuid())
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def read(folder: Path, *jobs: str, name: str = "night") -> ClockSpec:
    """A clock with the given calls of add_job, each without its `scheduler.add_job(command.run, "cron", `."""
    path = folder / f"{name}.py"
    lines = [
        '"""The night."""',
        "",
        "from scheduled_tasks import Clock, app",
        "from scheduled_tasks.bundled import command",
    ]
    lines += [
        "from scheduled_tasks.domains import algolia",
        'scheduler = Clock(timezone="Europe/Paris")',
    ]
    lines += [job if job.startswith("scheduler") else f'scheduler.add_job(command.run, "cron", {job})' for job in jobs]
    path.write_text("\n".join(lines) + "\n")
    return read_clock(path, name, ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))


def exported(folder: Path, *clocks: ClockSpec, user: str = "shop") -> tuple[list[str], Report]:
    """The lines without comments, and the report."""
    text, report = export(
        clocks, run_task="/opt/shop/bin/run-task", configuration="c.toml", user=user, timezone="Europe/Paris",
        base=folder, now=NOW,
    )  # fmt: skip
    return [line for line in text.splitlines() if line and not line.startswith("#")], report


def by_line(lines: list[str]) -> list[str]:
    """What each line of a crontab prints, run as cron runs it."""
    variables = {"HOME": HERE.pw_dir, "LOGNAME": HERE.pw_name, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    printed = []
    for line in read_lines("\n".join(lines), "system"):
        assert line.kind != "wrong", line
        if line.kind == "variable":
            variables[line.name] = line.value
        elif line.kind == "entry":
            done = subprocess.run(
                [variables["SHELL"], "-c", line.command], env=variables, cwd=variables["HOME"], input=line.stdin,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            printed.append(done.stdout + done.stderr)
    return printed


RUN = """
import json, logging, sys
from scheduled_tasks.bundled import command
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
logging.getLogger("scheduled_tasks.cron").disabled = True
args, kwargs = json.loads(sys.argv[1])
command.run(*args, **kwargs)
"""


def by_job(clock: ClockSpec) -> list[str]:
    """What command.run logs for each job, in a process of its own."""
    calls = [json.dumps([list(job.args or ()), job.kwargs]) for job in clock.jobs]
    return [
        subprocess.run([sys.executable, "-c", RUN, call], capture_output=True, text=True, check=True).stdout
        for call in calls
    ]


CRONTAB = """\
SHELL=/bin/bash
LANG=C.UTF-8
30 2 * * * /usr/bin/true --nightly
0 4 * * * cd /tmp && echo "Friday, or the 13th" >> log; date +\\%F
MODE=fast
5 4 * * * cat%first line%100\\% of it
10 4 * * * sort -u "a file"
HOME=/srv/shop
0 5 * * 1 ./weekly.sh
"""


def test_a_crontab_that_was_imported_goes_out_as_it_came(tmp_path: Path) -> None:
    (tmp_path / "nightly").write_text(CRONTAB)
    imported = import_files([tmp_path / "nightly"], ImportRequest("Europe/Paris", tmp_path, NOW, form="user"))
    [(name, text)] = imported.files.items()
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    clock = read_clock(path, "nightly", ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))
    lines, report = exported(tmp_path, clock)
    assert lines == [
        "SHELL=/bin/sh",
        PATH,
        "LANG=C.UTF-8",
        "30 2 * * * shop /usr/bin/true --nightly",
        "SHELL=/bin/bash",
        '0 4 * * * shop cd /tmp && echo "Friday, or the 13th" >> log; date +\\%F',
        "SHELL=/bin/sh",
        "MODE=fast",
        "5 4 * * * shop cat%first line%100\\% of it",
        '10 4 * * * shop sort -u "a file"',
        "HOME=/srv/shop",
        "0 5 * * 1 shop ./weekly.sh",
    ]
    # 02:30 is in the night of change, and everything else is as it was.
    assert [entry.outcome for entry in report.entries] == ["different", "exact", "exact", "exact", "exact"]
    assert {difference.kind for difference in report.entries[0].differences} == {"gap", "fold"}


def test_a_lines_user_is_kept(tmp_path: Path) -> None:
    clock = read(tmp_path, '[["a"]], hour=5, id="a", user="data"', '[["b"]], hour=6, id="b"')
    lines, report = exported(tmp_path, clock)
    assert lines[2:] == ["0 5 * * * data a", "0 6 * * * shop b"]
    assert [entry.outcome for entry in report.entries] == ["exact", "exact"]


def test_a_job_for_whose_user_systemd_makes_one_is_not_the_same(tmp_path: Path) -> None:
    lines, report = exported(tmp_path, read(tmp_path, '[["a"]], hour=5, id="a"'), user="")
    assert lines[2:] == ["0 5 * * * nobody a"]
    assert [difference.kind for difference in report.entries[0].differences] == ["user"]


def test_only_what_is_the_same_is_called_exact(tmp_path: Path) -> None:
    clock = read(
        tmp_path,
        '[["a"]], hour=5, id="plain"',
        '[["a"]], hour=5, id="limited", timeout="5min", memory_max="1G"',
        '[["a"]], hour=5, id="spread", jitter=60',
        '[["a"]], hour=2, minute=30, id="at_night"',
        '[["a"]], kwargs={"stdin": "no end"}, hour=5, id="input"',
        '[["a"]], hour=5, id="abroad", timezone="Asia/Tokyo"',
        '[["a", "b\\nc"]], hour=5, id="two_lines"',
        '[["a"]], hour=5, id="on_error", on_database_error="run"',
    )
    _, report = exported(tmp_path, clock)
    kinds = {entry.job.partition("/")[2]: [found.kind for found in entry.differences] for entry in report.entries}
    assert kinds == {
        "plain": [], "limited": ["options"], "spread": ["jitter"], "at_night": ["gap", "fold"], "input": ["stdin"],
        "abroad": ["zone"], "two_lines": ["wrapped"], "on_error": ["options"],
    }  # fmt: skip
    assert [entry.outcome for entry in report.entries] == ["exact", *["different"] * 7]


def test_a_command_that_no_line_can_hold_is_run_by_run_task(tmp_path: Path) -> None:
    for job in (
        '[["a", "b\\nc"]]', '[["a"]], {"environment": {"A": "\\"quoted"}}', '[["a"]], {"environment": {"A": " blank"}}',
        '[["a"]], {"environment": {"LOGNAME": "x"}}', '[["/bin/sh", "-c", "a "]]', '[["a"]], {"directory": "/a\\nb"}',
    ):  # fmt: skip
        lines, report = exported(tmp_path, read(tmp_path, f'{job}, hour=5, id="a"'))
        assert "run-task command.run" in lines[-1], job
        assert [difference.kind for difference in report.entries[0].differences] == ["wrapped"], job


def test_tasks_come_behind_the_commands_which_get_none_of_their_variables(tmp_path: Path) -> None:
    task = 'scheduler.add_job(algolia.index_offers, "cron", [app], id="index", hour=1, on_database_error="run")'
    clock = read(tmp_path, task, '[["a"]], hour=5, id="a"')
    assert exported(tmp_path, clock)[0] == [
        "SHELL=/bin/sh",
        PATH,
        "0 5 * * * shop a",
        'MAILTO=""',
        "SCHEDULED_TASKS_CONFIG=c.toml",
        "0 1 * * * shop /opt/shop/bin/run-task algolia.index_offers --clock=night --job=index --on-database-error=run",
    ]


SHOW = """[["/bin/sh", "-c", "pwd; echo $LANG,$MODE,$HOME,$TZ; cat"]]"""


def test_each_line_does_what_its_job_does(tmp_path: Path) -> None:
    quoted = [
        "printf",
        "%s\\n",
        "a b",
        "$HOME",
        "`date`",
        'x"y',
        "it's",
        "#no comment",
        "100%",
        "a\\%b",
        "*",
        "~",
        "",
        "é",
    ]
    clock = read(
        tmp_path,
        f"[{quoted!r}], hour=5, id='quoted'",
        f"[{quoted!r}], {{'stdin': 'a%b\\nc\\\\d\\n'}}, hour=5, id='with_input'",
        "[['/bin/sh', '-c', 'cat; echo # a comment']], {'stdin': '1\\n\\n%3\\n'}, hour=5, id='a_comment'",
        "[['/bin/bash', '-c', 'echo {a,b}; [[ a == a ]] && echo yes']], hour=5, id='bash'",
        "[['/bin/sh', '-c', 'echo $PATH; echo $((1+1))']], hour=5, id='path'",
        f"{SHOW}, {{'environment': {{'LANG': 'C', 'MODE': 'a #b'}}, 'directory': '/usr'}}, hour=5, id='directory'",
        f"{SHOW}, {{'environment': {{'LANG': '', 'HOME': '/usr'}}, 'directory': '/usr'}}, hour=5, id='home'",
        f"{SHOW}, {{'environment': {{'MODE': 'x'}}, 'directory': '/tmp'}}, hour=5, id='back'",
        f"{SHOW}, {{'environment': {{'HOME': '/var'}}, 'directory': '/'}}, hour=5, id='home_alone'",
        f"{SHOW}, {{'directory': '/tmp'}}, hour=5, day='last,1-31', id='guarded'",
    )
    lines, report = exported(tmp_path, clock)
    assert {entry.outcome for entry in report.entries} == {"exact"}
    assert by_line(lines) == by_job(clock)


def test_a_clock_gets_none_of_the_variables_of_another_one(tmp_path: Path) -> None:
    first, second, third = (
        read(tmp_path, f"{SHOW}, {{'environment': {variables!r}, 'directory': '/'}}, hour=5, id='a'", name=name)
        for name, variables in (("first", {"MODE": "a"}), ("second", {"LANG": "C"}), ("third", {}))
    )
    lines, _ = exported(tmp_path, first, second, third)
    home = HERE.pw_dir
    assert by_line(lines) == [f"/\n,,{home},\n", f"/\n,a,{home},\n", f"/\nC,,{home},\n"]
    commands = [line.partition(" shop ")[2] for line in lines if " shop " in line]
    assert [command.partition(" ")[0] for command in commands] == ["cd", "cd", "unset"]


def test_the_report_for_programs_counts_what_is_exact(tmp_path: Path) -> None:
    _, report = exported(tmp_path, read(tmp_path, '[["a"]], hour=5, id="a"', '[["a"]], hour=5, id="b", nice=5'))
    assert json.loads(report.to_json())["summary"] == "1 exported exactly, 1 exported with a difference"
