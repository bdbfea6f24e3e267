"""What explains `clocks`: sections and examples in --help, JSON for programs, completion, man pages."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from scheduled_tasks.cli import main
from scheduled_tasks.cli.commands import MODULE_OF, SECTIONS
from scheduled_tasks.cli.help.examples import EXAMPLES
from scheduled_tasks.cli.help.install import COMPLETIONS
from tests.documented import ROOT
from tests.pseudo_terminal import on_a_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCKS = (sys.executable, "-P", "-m", "scheduled_tasks.cli")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
# `dev` passes its jobs' log lines on; `setup` shows the progress of what it does; `metrics` has its own format.
WITHOUT_FACTS = {"dev", "listen", "metrics", "page", "setup"}


def leaves(command: click.Command, context: click.Context, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(context):
        subcommand = command.get_command(context, name)
        assert subcommand is not None
        yield from leaves(subcommand, context, f"{path} {name}".strip())


@cache
def commands() -> dict[str, click.Command]:
    return dict(leaves(main, click.Context(main)))


def test_help_lists_every_command_in_its_section_and_cuts_no_summary_at_80_columns() -> None:
    for command in ([], ["features"], ["import"], ["export"]):
        seen = on_a_terminal([*CLOCKS, *command, "--help"], env=ENVIRONMENT)
        assert max(map(len, seen.text.splitlines())) <= 80
        assert "..." not in seen.text.replace("[ARGS]...", "")
    seen = on_a_terminal([*CLOCKS, "--help"], env=ENVIRONMENT)
    blocks = [block.splitlines() for block in seen.text.split("\n\n")]
    listed = {block[0]: [line.split()[0] for line in block[1:]] for block in blocks if block[0].rstrip(":") in SECTIONS}
    assert listed == {f"{heading}:": list(names) for heading, names in SECTIONS.items()}
    assert sorted(MODULE_OF) == sorted(name for names in SECTIONS.values() for name in names)


def test_every_command_that_prints_facts_prints_json() -> None:
    without = {path for path, command in commands().items() if not any("--json" in p.opts for p in command.params)}
    assert without == WITHOUT_FACTS


def test_every_command_has_examples() -> None:
    assert set(EXAMPLES) == set(commands())


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_are_valid_and_fit_80_columns(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("clock.py", "Procfile", "mine"):
        Path(name).touch()
    for line in EXAMPLES[path]:
        assert len(line) <= 76, line
        words = shlex.split(line.replace(";", " ; "), comments=True)
        words = words[words.index("clocks") + 1 :]
        end = next((number for number, word in enumerate(words) if word in {"|", ";"} or word.startswith(">")), None)
        arguments = words[:end]
        assert arguments[: len(path.split())] == path.split()
        if "/etc/crontab" in arguments and not Path("/etc/crontab").exists():
            continue
        context = main.make_context("clocks", arguments)
        while isinstance(context.command, click.Group):
            _, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None
            context = command.make_context(command.name, rest, parent=context)


def test_help_shows_the_examples_as_they_are_written() -> None:
    for path in ("status", "features enable"):
        seen = on_a_terminal([*CLOCKS, *path.split(), "--help"], env=ENVIRONMENT)
        assert [line.strip() for line in seen.text.splitlines()[-len(EXAMPLES[path]) :]] == list(EXAMPLES[path])


def completed(line: str, *, environment: dict[str, str] | None = None) -> list[str]:
    """What bash is offered for the last word of a command line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_CLOCKS_COMPLETE": "bash_complete"}
    code = "from scheduled_tasks.cli import main; main(prog_name='clocks')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=(environment or ENVIRONMENT) | words, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [word.partition(",")[2] for word in done.stdout.splitlines() if word]


def test_the_shell_completes_commands_options_clocks_jobs_and_flags() -> None:
    assert completed("clocks sta") == ["status"]
    assert completed("clocks features en") == ["enable"]
    assert completed("clocks history --sta") == ["--status"]
    assert completed("clocks history --status fa") == ["failed"]
    assert completed("clocks run booking/c") == ["booking/cancel_expired_bookings"]
    assert completed("clocks pause bo")[0] == "booking"
    assert completed("clocks features disable INDEX") == ["INDEX_OFFERS"]


def test_a_completion_that_fails_is_silent(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.scheduled_tasks]\nclocks = "nothing"\nfeatures = "no:thing"\n')
    broken = ENVIRONMENT | {"SCHEDULED_TASKS_CONFIG": str(tmp_path / "pyproject.toml")}
    broken |= {"DATABASE_URL": "postgresql://127.0.0.1:1/nobody"}
    for line in ("clocks run b", "clocks features enable I", "clocks show 3", "clocks forget-host a"):
        assert completed(line, environment=broken) == []


def test_installed_completions_are_what_bash_reads(tmp_path: Path) -> None:
    installed = subprocess.run(
        [*CLOCKS, "install-help", str(tmp_path)], env=ENVIRONMENT, capture_output=True, check=True
    )
    assert installed.stdout.decode().count("wrote ") == 5
    again = subprocess.run(
        [*CLOCKS, "install-help", str(tmp_path), "--check"], env=ENVIRONMENT, capture_output=True, check=False
    )
    assert (again.returncode, again.stdout) == (0, b"already up to date\n")
    program = tmp_path / "clocks"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(CLOCKS)} "$@"\n')
    program.chmod(0o755)
    script = f"""
        . {tmp_path / COMPLETIONS["bash"]}
        complete -p clocks
        COMP_WORDS=(clocks prune-ru) COMP_CWORD=1
        _clocks_completion {program}
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "prune-runs", done.stderr
    for shell in ("zsh", "fish"):
        assert f"_CLOCKS_COMPLETE={shell}_complete" in (tmp_path / COMPLETIONS[shell]).read_text()
        if path := shutil.which(shell):
            subprocess.run([path, "-n", str(tmp_path / COMPLETIONS[shell])], check=True)


def test_the_man_pages_have_every_command_and_no_fault(tmp_path: Path) -> None:
    subprocess.run([*CLOCKS, "install-help", str(tmp_path)], env=ENVIRONMENT, capture_output=True, check=True)
    for name in ("clocks.1", "run-task.1"):
        page = tmp_path / "man/man1" / name
        groff = shutil.which("groff")
        if groff is None:
            pytest.skip("groff is not installed")
        done = subprocess.run(
            [groff, "-man", "-ww", "-Tutf8", "-P-cbou", str(page)], capture_output=True, text=True, check=True,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.stderr == ""
        if name == "clocks.1":
            text = " ".join(done.stdout.split())
            assert [path for path in commands() if f"clocks {path} [OPTIONS]" not in text] == []
            assert "clocks history --status failed --since 1d" in text
        else:
            assert "--readable writes them for people" in " ".join(done.stdout.split())
