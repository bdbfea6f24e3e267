"""How commands end: JSON for programs, and one sentence with an exit code for each error.

docs/reference/exit-codes.md has the codes, `screens` what people see. All output is escaped (`terminal`), so that no
text from a task, a file or the database can control the terminal.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import traceback
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.errors import FilesError, NotRootError, ScheduledTasksError, UsageError
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.operate.watch.watch_state import watch_problem
from scheduled_tasks.quantities import counted
from scheduled_tasks.render.names import Places
from scheduled_tasks.terminal import escaping_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHANGES_PENDING = 2  # exit code: of `plan` and --check
MAX_INDENTED = 100  # elements of a list; a longer one is for programs
SOMETHING_BAD = 3  # exit code: of a command that looks for what is wrong
DEBUG = f"{__name__}.debug"  # the keys of a context's meta
AS_JSON = f"{__name__}.json"


def _set_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value:
        context.meta[DEBUG] = True


def _debug_option(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        hidden=hidden,
        expose_value=False,
        callback=_set_debug,
        help="Show the traceback of an error.",
    )


# Commands without the warning about the watch: they are the watch, or report on it themselves.
REPORTS_THE_WATCH = {"watch", "reconcile", "doctor", "notify"}


class Commands(Group):
    """The group of all commands: an error ends the process with one sentence and an exit code, never a traceback.

    Takes --debug before and after the name of a command.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.context_settings["color"] = True  # or click would drop escape sequences, which are to be shown
        self.params.append(_debug_option(hidden=False))

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command and its subcommands, each with --debug."""
        super().add_command(cmd, name)
        for command in (cmd, *(cmd.commands.values() if isinstance(cmd, click.Group) else ())):
            if not any("--debug" in parameter.opts for parameter in command.params):
                command.params.append(_debug_option(hidden=True))

    def main(self, *args: Any, **settings: Any) -> Any:
        """Parse and invoke, with all output escaped for a terminal."""
        with escaping_output():
            return super().main(*args, **settings)

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Parse the options before a command's name."""
        with exit_codes({}):
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke a command. With --json among its arguments, an error is JSON too, even one of the arguments."""
        ctx.meta[AS_JSON] = "--json" in ctx.args[: ctx.args.index("--") if "--" in ctx.args else None]
        with exit_codes(ctx.meta):
            return super().invoke(ctx)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that is about to be invoked; say if this host's watch does not work."""
        name, command, rest = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing and name not in REPORTS_THE_WATCH and (problem := watch_problem(Places())):
            click.echo(f"clocks: {problem}; see 'clocks doctor'", err=True)
        return name, command, rest


@contextmanager
def exit_codes(meta: Mapping[str, Any]) -> Iterator[None]:
    """End the process with the sentence and the exit code of an error."""
    try:
        yield
    except (click.exceptions.Exit, SystemExit):
        raise
    except (KeyboardInterrupt, click.Abort):
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _discard_output()
        sys.exit(128 + signal.SIGPIPE)
    except click.ClickException as error:
        error.show()
        _show_refusal(error, meta)
        sys.exit(UsageError.exit_code)  # click's own code is 2
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        if meta.get(DEBUG):
            click.echo("".join(traceback.format_exception(error)), err=True)
        known = as_ours(error)
        _show_refusal(known, meta)
        _fail(known)


def as_ours(error: Exception) -> ScheduledTasksError:
    """The error as one of ours; one that nobody expected has exit code 1."""
    if isinstance(error, ScheduledTasksError):
        return error
    problem = " ".join(str(error).split())
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        return NotRootError(f"{error.filename or problem}: permission denied: run this as root")
    if isinstance(error, OSError):
        return FilesError(f"{error.filename}: {error.strerror}" if error.filename else problem)
    return ScheduledTasksError(
        f"unexpected {type(error).__name__}{f': {problem}' if problem else ''}; --debug shows the traceback, please "
        "report it"
    )


def _fail(error: ScheduledTasksError) -> NoReturn:
    prefix = "" if isinstance(error, FaultsError) else "clocks: "
    click.echo(f"{prefix}{error}", err=True)
    if isinstance(error, FaultsError):
        click.echo(f"clocks: {counted(len(error.faults), 'fault')}", err=True)
    sys.exit(error.exit_code)


def _show_refusal(error: Exception, meta: Mapping[str, Any]) -> None:
    if meta.get(AS_JSON):
        with suppress(OSError):  # standard output may be what has failed
            show_json(refusal(error))


def refusal(error: Exception) -> dict[str, Any]:
    """An error for programs: `errors` has field, value and message of each fault; `error` is the first of them."""
    if isinstance(error, FaultsError):
        errors = [asdict(fault) | {"message": str(fault)} for fault in error.faults]
    else:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        parameter = getattr(error, "param", None)
        errors = [{"field": parameter.name if parameter else "", "value": "", "message": message}]
    return {"error": errors[0], "errors": errors}


def _discard_output() -> None:
    """Discard what is still buffered: Python would try to write it at its exit, and print a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_if_pending(*, changes: bool, check: bool) -> None:
    """Exit 2 if a command with --check has found changes to make."""
    if check and changes:
        sys.exit(CHANGES_PENDING)


def show_json(value: object) -> None:
    """Print a result for programs, indented; each element of a long list is on one line."""
    try:
        text = _laid_out(value)
    except ValueError:  # a row can hold NaN or infinity
        text = _laid_out(_finite(value))
    click.echo(text)


def _laid_out(value: object, indent: str = "") -> str:
    """JSON, of which the elements of long lists are encoded by C: that can't indent, and takes a fifth of the time."""
    inner = f"{indent}  "
    if isinstance(value, list) and len(value) > MAX_INDENTED:
        return f"[\n{inner}" + f",\n{inner}".join(map(_IN_ONE_LINE.encode, value)) + f"\n{indent}]"
    if isinstance(value, dict) and value and not indent:
        items = (f"{_IN_ONE_LINE.encode(key)}: {_laid_out(item, inner)}" for key, item in value.items())
        return f"{{\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}}}"
    return _INDENTED.encode(value).replace("\n", f"\n{indent}")


def _text(value: object) -> str:
    return rfc3339(value, "auto") if isinstance(value, datetime) else str(value)


_IN_ONE_LINE = json.JSONEncoder(default=_text, ensure_ascii=False, allow_nan=False)
_INDENTED = json.JSONEncoder(default=_text, ensure_ascii=False, allow_nan=False, indent=2)


def _finite(value: object) -> object:
    """A value with null for what JSON has no number for: a row can hold NaN or infinity."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
