"""The man pages clocks(1) and run-task(1), written from the same texts as --help, in the macros of man(7)."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click

from scheduled_tasks import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scheduled_tasks.cli.help.sections import Group


def clocks_page(main: Group) -> str:
    """The page of `clocks`: every command with its options and examples, in the sections of --help."""
    context = click.Context(main, info_name="clocks", **main.context_settings)
    lines = [
        *_head("clocks", _first_line(main)),
        *(".SH SYNOPSIS", r".B clocks", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]"),
        *(".SH OPTIONS", *_options(main, context)),
    ]
    for heading, names in main.sections(context).items():
        lines.append(f".SH {heading.upper()}")
        for name in names:
            if command := main.get_command(context, name):
                lines += _command(command, click.Context(command, info_name=name, parent=context))
    lines += [
        ".SH EXIT STATUS",
        "0 success, 2 changes are pending, 3 something is bad, 64 wrong usage, 65 a fault in a file,",
        "71 systemd refused, 75 try again later, 77 not root, 78 a fault in the configuration;",
        "docs/reference/exit\\-codes.md has all.",
        *(".SH SEE ALSO", ".BR run\\-task (1),", ".BR systemctl (1),", ".BR journalctl (1)"),
    ]
    return "\n".join(lines) + "\n"


def run_task_page(usage: str) -> str:
    """The page of `run-task`, from its own usage text."""
    synopsis, _, rest = usage.partition("\n\n")
    lines = [
        *_head("run-task", "run one task once"),
        *(".SH SYNOPSIS", *_as_it_is(synopsis.removeprefix("Usage: "))),
        *(".SH DESCRIPTION", *_paragraphs(rest.strip())),
        *(".SH SEE ALSO", ".BR clocks (1)"),
    ]
    return "\n".join(lines) + "\n"


def pages(main: Group) -> Mapping[str, str]:
    """Every page by its file's name."""
    from scheduled_tasks.run.arguments import USAGE

    return {"clocks.1": clocks_page(main), "run-task.1": run_task_page(USAGE)}


def _head(name: str, summary: str) -> tuple[str, ...]:
    title = f'.TH {name.upper()} 1 "" "scheduled\\-tasks {__version__}"'
    return title, ".SH NAME", f"{_escaped(name)} \\- {_escaped(summary.rstrip('.'))}"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """The subsection of a command, and those of its subcommands."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if subcommand := command.get_command(context, name):
                yield from _command(subcommand, click.Context(subcommand, info_name=name, parent=context))
        return
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_escaped(context.command_path)} {_escaped(pieces)}"
    yield from _paragraphs(inspect.cleandoc(command.help or ""))
    yield from _options(command, context)
    if command.epilog:
        _, heading, *examples = command.epilog.splitlines()
        yield from (".PP", _escaped(heading), *_as_it_is("\n".join(examples)))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            names, text = record
            yield from (".TP", f"\\fB{_escaped(names)}\\fR", _escaped(text) or "\\&")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        yield from (".PP", *map(_escaped, paragraph.splitlines()))


def _as_it_is(text: str) -> Iterable[str]:
    """Lines whose breaks and blanks stay."""
    return (".nf", *map(_escaped, text.splitlines()), ".fi")


def _escaped(text: str) -> str:
    """Text that roff shows as it is: without this, a backslash or a dot at the start would be an instruction."""
    text = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text.replace("\\", "\\e"))
    text = text.replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{text}" if text.startswith(".") else text


def _first_line(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\n")[0]
