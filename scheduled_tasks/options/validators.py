"""The forms of options' values: each function judges one value as it stands in a clock file.

It returns the value as `Options` keep it (text, or a tuple of texts), or raises ValueError with what is wrong.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scheduled_tasks.options.relaxations import RELAXATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

Value = str | tuple[str, ...]

# (?=.*[1-9]): nought means "no limit" to systemd in places, and nonsense in others.
SIZE = r"(?=.*[1-9])(\d+(\.\d+)?[KMGT]?|\d+(\.\d+)?%)"
SPAN = r"(?=.*[1-9])(\d+(\.\d+)?\s*(s|sec|seconds?|min|m|minutes?|h|hr|hours?|d|days?)?\s*)+"
UNIT = r"[A-Za-z0-9:_.\\@-]+\.(service|socket|target|mount|path|device|swap|automount)"

# systemd and the deployment say these themselves; another value would break what relies on them.
RESERVED = re.compile(
    r"SCHEDULED_TASKS_CONFIG|(CREDENTIALS|RUNTIME)_DIRECTORY|JOURNAL_STREAM|NOTIFY_SOCKET|INVOCATION_ID"
)
SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|(API|PRIVATE|ACCESS)_?KEY|(^|_)DSN$|DATABASE_URL", re.IGNORECASE
)
SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]+@")


# systemd leaves out a line with any of these as a whole: it isn't UTF-8 to it (utf8_is_valid in its sources).
ENDS_OF_PLANES = "".join(chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))
NO_CHARACTERS = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{ENDS_OF_PLANES}]")


def why_unwritable(text: str) -> str:
    """What a text has that no unit file can hold; "" where it can be written."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        return "a control character, which a unit file can't hold"
    return "what is no Unicode character to systemd" if NO_CHARACTERS.search(text) else ""


def seconds_of(span: str) -> float:
    """A span of time as `timeout` takes it (systemd.time(7)), in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]?)", span)
    return sum(float(number) * units[unit or "s"] for number, unit in parts)


def matching(pattern: str) -> Callable[[object], str]:
    """What systemd takes there (systemd.syntax(7), systemd.resource-control(5)); numbers are taken as text."""

    def judge(value: object) -> str:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError("is not a value that systemd takes")
        return text

    return judge


def boolean(value: object) -> str:
    """True or False, kept as "yes" or ""."""
    if not isinstance(value, bool):
        raise ValueError("is neither True nor False")  # noqa: TRY004 - see `environment`
    return "yes" if value else ""


def user(value: object) -> str:
    """The name of a system user (useradd(8)), other than root."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", value):
        raise ValueError("is not the name of a user")
    if value == "root":
        raise ValueError("is the one that a task never runs as")
    return value


def environment(value: object) -> tuple[str, ...]:
    """Variables as NAME=value. A unit can be read by everybody, so that what looks like a secret is refused."""
    if not isinstance(value, dict):
        raise ValueError("is not a dict")  # noqa: TRY004 - all that is wrong with a value is said in one way
    for name, text in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
            raise ValueError(f"has {name!r}, which is not the name of a variable")
        if RESERVED.fullmatch(name):
            raise ValueError(f"has {name}, which is set for every job and has to stay as it is")
        if isinstance(text, bool) or not isinstance(text, str | int):
            raise ValueError(f"has a value for {name} that is neither text nor a whole number")  # noqa: TRY004 - as above
        if SECRET_NAME.search(name) or SECRET_VALUE.search(str(text)):
            raise ValueError(f"has {name}, which looks like a secret, and everybody can read a unit")
        _arrives(str(text), also="\t\n")
    return tuple(f"{name}={text}" for name, text in value.items())


def path(value: object) -> str:
    """An absolute path without dots and double slashes, as systemd wants it."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("is not an absolute path")
    if ".." in PurePosixPath(value).parts or str(PurePosixPath(value)) != value:
        raise ValueError("is not written as plainly as it could be (no .., no . and no double or trailing slash)")
    _arrives(value)
    if value != value.strip() or value.endswith("\\"):
        raise ValueError("ends in a blank or a backslash, which a unit file would lose")
    return value


def paths(value: object) -> tuple[str, ...]:
    """A list of paths."""
    return tuple(path(each) for each in _listed(value))


def units(value: object) -> tuple[str, ...]:
    """A list of units' names."""
    names = _listed(value)
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(UNIT, name):
            raise ValueError(
                f"has {name!r}, which is not the name of a unit (they end in .service, .mount or the like)"
            )
    return tuple(map(str, names))


def addresses(value: object) -> tuple[str, ...]:
    """Internet addresses and networks, or "any"."""
    if value == "any":
        return ("any",)
    for each in _listed(value):
        try:
            ip_network(str(each))
        except ValueError as error:
            raise ValueError(f"has {each!r}, and the kernel filters addresses and networks, not names") from error
    return tuple(map(str, _listed(value)))


def relaxations(value: object) -> tuple[str, ...]:
    """A list of names of `RELAXATIONS`."""
    for name in _listed(value):
        if name not in RELAXATIONS:
            raise ValueError(f"has {name!r}; there are {', '.join(RELAXATIONS)}")
    return tuple(map(str, _listed(value)))


def _listed(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise ValueError("is not a list")  # noqa: TRY004 - see `environment`
    return list(value)


def _arrives(text: str, also: str = "") -> None:
    if reason := why_unwritable(text.translate(dict.fromkeys(map(ord, also)))):
        raise ValueError(f"has {reason}")
