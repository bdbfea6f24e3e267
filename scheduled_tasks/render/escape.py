"""The one escaping room of values that reach a unit file.

A template can't forget it: every `{{ … }}` passes `escaped`, except what is marked as `Written` already. What these
functions return arrives exactly, or they refuse it: a booted systemd says so in tests/machine/test_escaping.py.
"""

from __future__ import annotations

import re

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.options import why_unwritable


class UnwritableValueError(ScheduledTasksError):
    """A value can't be written into a unit file."""

    exit_code = 65


class Written(str):
    """Text that is in the form of a unit file already."""

    __slots__ = ()


def escaped(value: object) -> str:
    """A value as the right-hand side of a directive or a part of it: `%` doubled (systemd.unit(5), specifiers).

    Raises:
        UnwritableValueError: it has a line break or another character that systemd drops lines for, or ends in a
            backslash, which would make the next line part of it.
    """
    if isinstance(value, Written):
        return value
    text = str(value)
    if text.endswith("\\"):
        raise UnwritableValueError(f"{text!r} ends in a backslash, which would join the unit's next line: leave it out")
    return _writable(text)


def whole(value: str) -> Written:
    """A value that is all of a directive's right-hand side, which systemd trims.

    Raises:
        UnwritableValueError: see `escaped`; or it begins or ends with a blank.
    """
    if value != value.strip(" "):
        raise UnwritableValueError(f"{value!r} begins or ends with a blank, which a unit file would lose: leave it out")
    return Written(escaped(value))


def command_line(*arguments: str) -> Written:
    """An `Exec…=` line whose arguments reach the program exactly (systemd.service(5), command lines).

    Raises:
        UnwritableValueError: see `escaped`.
    """
    return Written(" ".join(_argument(argument) for argument in arguments))


def assignment(text: str) -> Written:
    """NAME=value for `Environment=`, quoted (systemd.exec(5)); there a `$` means nothing.

    Raises:
        UnwritableValueError: see `escaped`; line breaks and tabs arrive.
    """
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    parts = [part.split("\t") for part in plain.split("\n")]
    return Written('"' + "\\n".join("\\t".join(map(_writable, line)) for line in parts) + '"')


def quoted_path(path: str) -> Written:
    """One path of a list such as `ReadWritePaths=`, quoted (systemd.exec(5)).

    Raises:
        UnwritableValueError: see `escaped`.
    """
    plain = path.replace("\\", "\\\\").replace('"', '\\"')
    return Written(f'"{_writable(plain)}"')


def word(text: str) -> Written:
    """One word of a directive that takes several, or a part of one up to a colon; quoted only where it has to be.

    Raises:
        UnwritableValueError: see `escaped`.
    """
    return Written(text) if _is_plain(text, "-_./=@") else quoted_path(text)


def read_word(written: str) -> str:
    """What `word` was given."""
    plain = re.sub(r"\\(.)", r"\1", written[1:-1]) if written.startswith('"') else written
    return plain.replace("%%", "%")


def without(text: str, characters: str, directive: str) -> str:
    """A text, where it has none of some characters that a systemd reads and then can't pass on to a service.

    Raises:
        UnwritableValueError: it has one.
    """
    for character in characters:
        if character in text:
            raise UnwritableValueError(f"{text!r} has {character!r}, at which {directive}= fails: name another folder")
    return text


def in_command_line(path: str) -> str:
    """A path as it stands in an argument of `command_line`, where more follows."""
    return path if _is_plain(path, "-_./=:@") else _argument(path)[1:-1]


def name(value: str, of: str, pattern: str) -> Written:
    """A name whose form leaves nothing to escape.

    Args:
        value: the name.
        of: what it names, for the refusal.
        pattern: its form.

    Raises:
        UnwritableValueError: it has another form.
    """
    if not re.fullmatch(pattern, value, re.ASCII):
        raise UnwritableValueError(f"{value!r} is not the name of {of}")
    return Written(value)


def _is_plain(text: str, others: str) -> bool:
    return bool(text) and text.isascii() and all(character.isalnum() or character in others for character in text)


def _argument(text: str) -> str:
    if _is_plain(text, "-_./=:@"):
        return text
    # Quoted, so that a blank, a ; or a # is part of it.
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_writable(plain)}"'


def _writable(text: str) -> str:
    if reason := why_unwritable(text):
        raise UnwritableValueError(f"{text!r} has {reason}: leave it out")
    return text.replace("%", "%%")
