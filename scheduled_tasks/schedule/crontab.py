"""Read a crontab's five fields as cron does.

Text such as `11 7 * * 4` goes in; cron-trigger fields for `read_trigger` come out, with notes on what cron's own
implementations treat differently. Every item is read here and written anew in APScheduler's language, so that no item
is left to APScheduler, whose weekday 0 is Monday (`CronTrigger.from_crontab` reads weekday 4 as Friday; every crontab
since the seventh edition means Thursday). What cron refuses is a fault. The rules are those of crontab(5) and of
entry.c of Debian's cron 3.0pl1-162 and of cronie; decision 0013 has where they differ.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from scheduled_tasks.faults import Fault, FaultsError

NAMES = ("minute", "hour", "day", "month", "day_of_week")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * sun",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
REBOOT = "@reboot"
MAX_ITEM = 99  # characters; cron refuses longer words
ITEM = re.compile(r"(\*|\d+|[a-z]+)(?:-(\d+|[a-z]+))?(?:/(\d+))?", re.ASCII)
RANDOM = re.compile(r"[a-z0-9]*~[a-z0-9]*", re.ASCII)
NTH_WEEKDAY = re.compile(r"(\d|[a-z]+)#([1-5])", re.ASCII)  # Quartz's
LAST_WEEKDAY = re.compile(r"(\d|[a-z]+)l", re.ASCII)
ORDINALS = ("", "1st", "2nd", "3rd", "4th", "5th")


class Column(NamedTuple):
    """The numbers and names that one field of a crontab takes. `words` say so in crontab(5)'s terms."""

    low: int
    high: int
    words: str
    names: tuple[str, ...] = ()

    def number(self, word: str) -> int | None:
        """The number that a number or a name stands for; None if the field does not have it."""
        if not word.isdigit():
            return self.names.index(word) + self.low if word in self.names else None
        number = int(word)
        return number if self.low <= number <= self.high else None


COLUMNS = {
    "minute": Column(0, 59, "0-59, e.g. */15 or 0,30"),
    "hour": Column(0, 23, "0-23, e.g. */6 or 9-17"),
    "day": Column(1, 31, "1-31, e.g. 1,15"),
    "month": Column(1, 12, "1-12 or jan-dec, e.g. 1,7", MONTHS),
    "day_of_week": Column(0, 7, "0-7 or sun-sat (0 and 7 are Sunday), e.g. 1-5 or mon-fri", WEEKDAYS),
}


@dataclass(frozen=True)
class CrontabTime:
    """The time of a crontab line: the cron trigger's fields, and what its writer should know."""

    fields: dict[str, str]
    notes: tuple[str, ...] = ()


def crontab_time(text: str) -> CrontabTime:
    """The cron trigger's fields for the five fields of a crontab line, or for `@daily` and the like.

    Raises:
        FaultsError: every fault of the fields, or no single trigger is equivalent.
    """
    text = text.strip(" \t\n")
    if text.startswith("@"):
        if fault := macro_fault(text):
            raise FaultsError([fault])
        text = MACROS[text]
    words = re.split(r"[ \t]+", text)
    if len(words) != len(NAMES):
        instead = "write minute, hour, day of month, month and day of week, without a command: '11 7 * * 4'"
        problem = f"{len(words)} field{'s' * (len(words) != 1)}; a crontab line has five"
        raise FaultsError([Fault(problem, instead, "crontab", repr(text))])
    given = dict(zip(NAMES, words, strict=True))
    faults: list[Fault] = []
    notes: list[str] = []
    fields = {name: _field(name, value, faults, notes) for name, value in given.items()}
    if faults:
        raise FaultsError(faults)
    if not given["day"].startswith("*") and not given["day_of_week"].startswith("*"):
        problem = "a crontab line runs when day or weekday matches, a trigger only when both do"
        instead = "write two jobs, one with day= and one with day_of_week="
        raise FaultsError([Fault(problem, instead, "crontab", repr(text))])
    return CrontabTime(fields, tuple(notes))


def macro_fault(text: str) -> Fault | None:
    """What is wrong with a word that begins with @; None if it stands for five fields."""
    if text in MACROS:
        return None
    if text == REBOOT:
        problem = "it runs when the machine starts, and a timer needs a time"
        return Fault(problem, "write a systemd service for it, with WantedBy=multi-user.target", "crontab", repr(text))
    near = difflib.get_close_matches(text.lower(), (*MACROS, REBOOT), 1, cutoff=0.75)
    instead = f"write {near[0]}" if near else f"it has {', '.join((*MACROS, REBOOT))}"
    return Fault(f"cron has no {text}", instead, "crontab", repr(text))


def _field(name: str, value: str, faults: list[Fault], notes: list[str]) -> str:
    """A field in the language of cron triggers; adds its faults and notes."""
    items: list[str] = []
    for item in value.split(","):
        try:
            items += _item(name, item.lower(), notes)
        except FaultsError as error:
            faults += [replace(fault, field=name, value=repr(value)) for fault in error.faults]
    if name == "day_of_week" and set(items) >= set(WEEKDAYS):
        return "*"
    return "*" if "*" in items else ",".join(dict.fromkeys(items))


def _item(name: str, item: str, notes: list[str]) -> tuple[str, ...]:
    """One item of a list as items of a trigger's field; adds a note on it."""
    column = COLUMNS[name]
    match = ITEM.fullmatch(item)
    if not match or (match[1] == "*" and match[2]) or len(item) > MAX_ITEM:
        raise FaultsError([_not_crons(name, item)])
    words = [word for word in match.group(1, 2) if word and word != "*"]
    numbers = [column.number(word) for word in words]
    if None in numbers:
        raise FaultsError([_no_such(name, words[numbers.index(None)])])
    first, last, step = *_ends(column, numbers), int(match[3] or 1)
    if fault := _never(name, item, range(first, last), match[3]) if last < first else _bad_step(column, match):
        raise FaultsError([fault])
    if last < first:
        notes.append(f"{item}: cronie runs it from {WEEKDAYS[first]} to sun, as here; Debian's cron never does")
        last = column.high
    if step > max(last - first, 1):
        notes.append(f"{item}: the step is longer than the range, so it means {first} only, as in cron")
        last, words, step = first, [str(first)], 1
    if name == "day_of_week":
        return tuple(WEEKDAYS[day] for day in range(first, last + 1, step))
    stepped = f"/{step}" if step > 1 else ""
    if not words:
        return (f"*{stepped}",)
    if not stepped and all(word in column.names for word in words):
        return ("-".join(dict.fromkeys(words)),)
    return (str(first) if first == last else f"{first}-{last}{stepped}",)


def _ends(column: Column, numbers: Sequence[int | None]) -> tuple[int, int]:
    """The first and the last number of an item; without numbers it is a star."""
    known = [number for number in numbers if number is not None]
    return (known[0], known[-1]) if known else (column.low, column.high)


def _bad_step(column: Column, match: re.Match[str]) -> Fault | None:
    if not match[3]:
        return None
    if not int(match[3]):
        return Fault(f"{match[0]!r} has a step of 0, which cron refuses", f"write {column.words}")
    if match[1] == "*" or match[2]:
        return None
    problem = f"{match[0]!r} has a step without a range, which cron refuses"
    return Fault(problem, f"write {column.number(match[1])}-{column.high}/{match[3]} if that is meant")


def _never(name: str, item: str, ends: range, step: str | None) -> Fault | None:
    """The fault of a range whose end comes before its start: cron accepts it, and no time matches.

    Not of `fri-sun`: cronie reads a 0 at the end as 7.
    """
    column, first, last = COLUMNS[name], ends.start, ends.stop
    if name == "day_of_week" and last == 0:
        if not step:
            return None
        meant = f"{first}-{column.high}/{step}"
    elif name == "day_of_week":
        meant = ",".join(dict.fromkeys(WEEKDAYS[day] for day in (*range(first, column.high), *range(last + 1))))
    else:
        halves = ((first, column.high), (column.low, last))
        meant = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in halves)
    return Fault(f"cron accepts {item!r} and never runs it: {first} comes after {last}", f"write {meant}")


def _no_such(name: str, word: str) -> Fault:
    """A word that the field does not have."""
    column = COLUMNS[name]
    if last := LAST_WEEKDAY.fullmatch(word) if name == "day_of_week" else None:
        return _by_position(word, last[1], "last")
    if name == "day" and word == "l":
        return Fault("cron has no L", "write a job of a clock file, with day='last'")
    if name == "hour" and word == "24":
        return Fault("24 is no hour", "write 0: midnight is the start of the day")
    near = word[:3] if word[:3] in column.names else ""
    return Fault(f"cron has no {word!r} here", f"write {near or column.words}")


def _not_crons(name: str, item: str) -> Fault:
    """An item in a syntax that is not cron's."""
    column = COLUMNS[name]
    if not item:
        return Fault("an item of the list is empty, which cron refuses", f"write {column.words}")
    if (nth := NTH_WEEKDAY.fullmatch(item)) and name == "day_of_week":
        return _by_position(item, nth[1], ORDINALS[int(nth[2])])
    if (last := LAST_WEEKDAY.fullmatch(item)) and name == "day_of_week":
        return _by_position(item, last[1], "last")
    if RANDOM.fullmatch(item):
        instead = "write a number; in a clock file jitter= delays each run by up to that many seconds"
        return Fault(f"{item!r} is a random number, which a timer does not choose", instead)
    if item == "?":
        return Fault("cron has no ?", "write *")
    return Fault(f"{item!r} is not understood", f"write {column.words}")


def _by_position(item: str, word: str, position: str) -> Fault:
    """Quartz's `5L` and `5#2`: the last or the nth weekday of a month."""
    number = COLUMNS["day_of_week"].number(word[:3] if word.isalpha() else word)
    day = "fri" if number is None else WEEKDAYS[number]
    dropped = f"; Debian's cron reads it as {word} and drops the rest" if "#" in item else ""
    problem = f"cron has no {item.upper() if item.endswith('l') else item}{dropped}"
    return Fault(problem, f"write a job of a clock file, with day='{position} {day}'")
