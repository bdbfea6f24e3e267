"""Validators of options: each function checks one value as written in a clock file.

It returns the value as kept in `Options` (text, or a tuple of texts), or raises ValueError with the problem.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scheduled_tasks.masking import mask
from scheduled_tasks.options.relaxations import RELAXATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

Value = str | tuple[str, ...]

# (?=.*[1-9]): to systemd, zero means "no limit" in some directives and makes no sense in others.
SIZE = r"(?=.*[1-9])(\d+(\.\d+)?[KMGT]?|\d+(\.\d+)?%)"
SPAN = r"(?=.*[1-9])(\d+(\.\d+)?\s*(s|sec|seconds?|min|m|minutes?|h|hr|hours?|d|days?)?\s*)+"
UNIT = r"[A-Za-z0-9:_.\\@-]+\.(service|socket|target|mount|path|device|swap|automount)"

# systemd and the deployment set these; another value would break what relies on them.
RESERVED = re.compile(
    r"SCHEDULED_TASKS_(CONFIG|HOST|KUBERNETES_.*)|(CREDENTIALS|RUNTIME)_DIRECTORY|JOURNAL_STREAM|NOTIFY_SOCKET|INVOCATION_ID"
)
SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|(API|PRIVATE|ACCESS)_?KEY|(^|_)DSN$|DATABASE_URL", re.IGNORECASE
)
# A password in a URL or in libpq's keywords.
SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s]+@|(?:^|[\s?&;])(?:ssl)?password\s*=\s*[^\s&;]", re.IGNORECASE)
# The name of an argument is less telling than that of a variable: `token_count` and `password_reset` are no secrets.
SECRET_ARGUMENT = re.compile(
    r"(?:\w*_)?(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|(?:ACCESS|AUTH|API|BEARER|REFRESH)_?TOKEN"
    r"|(?:API|PRIVATE|ACCESS|SECRET)_?KEY)",
    re.IGNORECASE,
)
# Bytes of one argument or variable of a process (MAX_ARG_STRLEN without the final NUL, execve(2)).
MAX_STRING = 128 * 1024 - 1
# Bytes of all values of one option: a unit has them in one line, escaped, and systemd reads lines of up to 1 MiB.
MAX_OPTION = 400_000
NAME_MAX, PATH_MAX = 255, 4096  # bytes; the first is also the most of a unit's name (systemd.unit(5))
MAX_SHOWN = 80  # characters of a value in a fault


# systemd drops a whole line that has any of these: it does not accept them as UTF-8 (utf8_is_valid in its sources).
ENDS_OF_PLANES = "".join(chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))
NONCHARACTERS = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{ENDS_OF_PLANES}]")


def why_unwritable(text: str) -> str:
    """Why a text can't be written into a unit file; "" if it can."""
    if text.isascii() and text.isprintable():  # nearly all, and much faster to find
        return ""
    if re.search(r"[\x00-\x1f\x7f]", text):
        return "a control character, which a unit file can't hold"
    return "a code point that systemd does not accept as a character" if NONCHARACTERS.search(text) else ""


def is_secret(name: str, value: str) -> bool:
    """Whether a text with that name, such as an argument's, looks like a secret."""
    return bool(value) and bool(SECRET_ARGUMENT.fullmatch(name) or SECRET_VALUE.search(value))


def shown_value(value: object) -> str:
    """A value as a fault shows it: not all of a long one, and without passwords."""
    try:
        text = mask(repr(value))
    except Exception:  # noqa: BLE001 - the project's own classes, or a list in a list in a list
        text = f"<{type(value).__name__}>"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def seconds_of(span: str) -> float:
    """A time span such as that of `timeout` (systemd.time(7)), in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]?)", span)
    return sum(float(number) * units[unit or "s"] for number, unit in parts)


def matching(pattern: str) -> Callable[[object], str]:
    """A validator for what systemd accepts (systemd.syntax(7), systemd.resource-control(5)); numbers become text."""

    def validate(value: object) -> str:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError("is not a value that systemd accepts")
        return text

    return validate


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
        raise ValueError("is not allowed: a task never runs as root")
    return value


def environment(value: object) -> tuple[str, ...]:
    """Variables as NAME=value. Everybody can read a unit, so what looks like a secret is a fault."""
    if not isinstance(value, dict):
        raise ValueError("is not a dict")  # noqa: TRY004 - every problem of a value is a ValueError
    for name, text in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
            raise ValueError(f"has {name!r}, which is not the name of a variable")
        if RESERVED.fullmatch(name):
            raise ValueError(f"has {name}, which is set for every job and must not change")
        if isinstance(text, bool) or not isinstance(text, str | int):
            raise ValueError(f"has a value for {name} that is neither text nor a whole number")  # noqa: TRY004 - as above
        if SECRET_NAME.search(name) or SECRET_VALUE.search(str(text)):
            raise ValueError(f"has {name}, which looks like a secret, and everybody can read a unit")
        _check_writable(str(text), allowed="\t\n")
        if len(f"{name}={text}".encode()) > MAX_STRING:
            raise ValueError(f"has a value for {name} that is longer than the {MAX_STRING} bytes of a variable")
    return tuple(f"{name}={text}" for name, text in value.items())


def path(value: object) -> str:
    """An absolute path without dots and double slashes, as systemd requires."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("is not an absolute path")
    if ".." in PurePosixPath(value).parts or str(PurePosixPath(value)) != value:
        raise ValueError("is not in its plainest form (no .., no . and no double or trailing slash)")
    _check_writable(value)
    if len(value.encode()) >= PATH_MAX or any(len(part.encode()) > NAME_MAX for part in PurePosixPath(value).parts):
        raise ValueError("is longer than a path can be")
    if value != value.strip() or value.endswith("\\"):
        raise ValueError("starts or ends with a blank, or ends with a backslash, which a unit file would lose")
    return value


def paths(value: object) -> tuple[str, ...]:
    """A list of paths."""
    return tuple(map(path, _listed(value)))


def units(value: object) -> tuple[str, ...]:
    """A list of unit names."""
    names = _listed(value)
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(UNIT, name) or len(name) > NAME_MAX:
            raise ValueError(
                f"has {name!r}, which is not the name of a unit (they end in .service, .mount or the like)"
            )
    return tuple(map(str, names))


def addresses(value: object) -> tuple[str, ...]:
    """Internet addresses and networks, or "any"."""
    if value == "any":
        return ("any",)
    for address in _listed(value):
        try:
            ip_network(str(address))
        except ValueError as error:
            raise ValueError(f"has {address!r}, but the kernel filters addresses and networks, not names") from error
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


def _check_writable(text: str, allowed: str = "") -> None:
    if reason := why_unwritable(text.translate(dict.fromkeys(map(ord, allowed)))):
        raise ValueError(f"has {reason}")
