"""Write values into unit files: the only place that escapes and quotes.

A template can't forget to: each `{{ … }}` is passed to `escape`, which leaves only `UnitText` as it is. systemd reads a
value exactly as given, or UnwritableValueError refuses it; tests/machine/test_escaping.py asks a booted systemd.
"""

from __future__ import annotations

import re

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.options import why_unwritable


class UnwritableValueError(ScheduledTasksError):
    """A value can't be written into a unit file."""

    exit_code = 65


class UnitText(str):
    """Text in the form of a unit file."""

    __slots__ = ()


def escape(value: object) -> str:
    """Escape a value for the right-hand side of a directive: `%` is doubled (systemd.unit(5), specifiers).

    Raises:
        UnwritableValueError: it has a line break or another character that makes systemd drop the line, or ends in a
            backslash, which would make the next line part of it.
    """
    if isinstance(value, UnitText):
        return value
    text = str(value)
    if text.endswith("\\"):
        raise UnwritableValueError(f"{text!r} ends in a backslash, which would join the unit's next line: leave it out")
    return _double_percents(text)


def directive_value(value: str) -> UnitText:
    """Escape the whole value of a directive; refuse blanks at its ends, which systemd trims."""
    if value != value.strip(" "):
        raise UnwritableValueError(f"{value!r} begins or ends with a blank, which a unit file would lose: leave it out")
    return UnitText(escape(value))


def command_line(*arguments: str) -> UnitText:
    """The value of an `Exec…=` line that passes these arguments (systemd.service(5), command lines)."""
    return UnitText(" ".join(map(_argument, arguments)))


def quote_assignment(text: str) -> UnitText:
    """Quote NAME=value for `Environment=` (systemd.exec(5)), with its line breaks and tabs; `$` needs no escape."""
    parts = [part.split("\t") for part in _backslashed(text).split("\n")]
    return UnitText('"' + "\\n".join("\\t".join(map(_double_percents, line)) for line in parts) + '"')


def quote_path(path: str) -> UnitText:
    """Quote one path of a list such as `ReadWritePaths=` (systemd.exec(5))."""
    return UnitText(f'"{_double_percents(_backslashed(path))}"')


def quote_word(text: str) -> UnitText:
    """Quote, if necessary, one word of a directive that takes several, or the part of a word up to a colon."""
    return UnitText(text) if _is_plain(text, "_./=@-") else quote_path(text)


def unquote_word(written: str) -> str:
    """Undo `quote_word`."""
    text = re.sub(r"\\(.)", r"\1", written[1:-1]) if written.startswith('"') else written
    return text.replace("%%", "%")


def quote_in_command_line(path: str) -> str:
    """Quote a path as `command_line` does when it begins an argument."""
    return path if _is_plain(path, "_./=:@-") else _argument(path)[1:-1]


def refuse_characters(text: str, characters: str, directive: str) -> str:
    """Return the text; refuse characters that systemd reads but fails to pass on to a service."""
    for character in characters:
        if character in text:
            raise UnwritableValueError(f"{text!r} has {character!r}, at which {directive}= fails: name another folder")
    return text


def require_name(value: str, kind: str, pattern: str) -> UnitText:
    """Return a name that matches the pattern, and so has nothing to escape; refuse any other."""
    if not re.fullmatch(pattern, value, re.ASCII):
        raise UnwritableValueError(f"{value!r} is not the name of {kind}")
    return UnitText(value)


def _is_plain(text: str, others: str) -> bool:
    return re.fullmatch(rf"[A-Za-z0-9{others}]+", text) is not None


def _argument(text: str) -> str:
    if _is_plain(text, "_./=:@-"):
        return text
    # Quoted, so that a blank, a ; or a # is part of it.
    return f'"{_double_percents(_backslashed(text).replace("$", "$$"))}"'


def _backslashed(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _double_percents(text: str) -> str:
    if reason := why_unwritable(text):
        raise UnwritableValueError(f"{text!r} has {reason}: leave it out")
    return text.replace("%", "%%")
