"""Validators of the options that decide who is told of a job, and when; see `validators`.

None in a job clears what its clock says. It is kept as "", which the jobs manifest leaves out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scheduled_tasks.options.validators import SECRET_VALUE, SPAN, Value

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_OWNER, MAX_URL, MAX_ROUTES = 100, 2000, 10
# Also the names of credentials, and TOML's bare keys.
ROUTE = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_QUIET = re.compile(rf"({_TIME})-({_TIME})", re.ASCII)


def or_none(validate: Callable[[object], Value]) -> Callable[[object], Value]:
    """A validator that accepts None as well, for what no clock or job says."""
    return lambda value: "" if value is None else validate(value)


def owner(value: object) -> str:
    """A person or a team, for people and for labels."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is not a name")
    if len(value) > MAX_OWNER:
        raise ValueError(f"is longer than {MAX_OWNER} characters")
    if not value.isprintable():
        raise ValueError("has a character that can't be printed")
    return value.strip()


def routes(value: object) -> tuple[str, ...]:
    """Names of routes, in the order in which they are tried; an empty list tells nobody."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise ValueError("is neither the name of a route nor a list of names")  # noqa: TRY004 - see `environment`
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(ROUTE, name, re.ASCII):
            raise ValueError(f"has {name!r}, which is not the name of a route (letters, digits, _ and -)")
    if len(set(names)) < len(names):
        raise ValueError("names a route twice")
    if len(names) > MAX_ROUTES:
        raise ValueError(f"has more than {MAX_ROUTES} routes")
    return tuple(map(str, names))


def count(value: object) -> str:
    """A whole number from 1 to 100."""
    if isinstance(value, bool) or not re.fullmatch(r"[1-9]\d?|100", str(value), re.ASCII):
        raise ValueError("is not a whole number from 1 to 100")
    return str(value)


def span(value: object) -> str:
    """A time span, such as that of `timeout`."""
    if isinstance(value, bool) or not re.fullmatch(SPAN, text := str(value).strip(), re.ASCII):
        raise ValueError("is not a time span")
    return text


def quiet(value: object) -> str:
    """The hours of each day in which no notice is sent."""
    match = _QUIET.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("is not two times of day, HH:MM-HH:MM")
    if match[1] == match[2]:
        raise ValueError("is empty: it starts and ends at the same time")
    return match[0]


def link(*placeholders: str) -> Callable[[object], str]:
    """A validator for a URL, in which each of these names can stand in braces."""

    def validate(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("is not text")  # noqa: TRY004 - see `environment`
        if reason := why_no_url(value, placeholders=placeholders):
            raise ValueError(reason)
        return value

    return validate


_PINGED = link("clock", "job", "host")


def ping(value: object) -> str:
    """The URL that a job's runs are reported to, or the name of the credential that contains it."""
    if isinstance(value, str) and re.fullmatch(ROUTE, value, re.ASCII):
        return value
    return _PINGED(value)


def why_no_url(text: str, schemes: tuple[str, ...] = ("http", "https"), placeholders: tuple[str, ...] = ()) -> str:
    """Why a text is not a URL without a password, which everybody can read; "" if it is one."""
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in placeholders:
            known = f"only {', '.join(f'{{{name}}}' for name in placeholders)}" if placeholders else "nothing"
            return f"has {{{name}}}, and {known} is replaced in it"
    if SECRET_VALUE.search(text):
        return "has a password, and everybody can read it: write the URL into a credential"
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return "is not a URL"
    if parts.scheme not in schemes or not parts.hostname or not text.isprintable() or " " in text:
        return f"is not a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    return f"is longer than {MAX_URL} characters" if len(text) > MAX_URL else ""
