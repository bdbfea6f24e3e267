"""A crontab's five fields, read as cron means them.

In comes text such as `11 7 * * 4`; out come cron-trigger fields for `read_trigger`. Not `CronTrigger.from_crontab`:
that one takes weekday 4 for Friday, where every crontab since the seventh edition means Thursday (crontab(5)).
"""

from __future__ import annotations

import re

from scheduled_tasks.faults import Fault, FaultsError

NAMES = ("minute", "hour", "day", "month", "day_of_week")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * sun",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def crontab_fields(text: str) -> dict[str, str]:
    """The cron trigger's fields for a crontab expression. Raises FaultsError where no one trigger says the same."""
    words = MACROS.get(text.strip().lower(), text).split()
    if len(words) != len(NAMES):
        raise FaultsError([
            Fault(
                f"{len(words)} fields, where a crontab has five",
                "write minute, hour, day of month, month and day of week, as in '11 7 * * 4'",
                "crontab",
                repr(text),
            )
        ])  # fmt: skip
    fields = dict(zip(NAMES, words, strict=True))
    if not fields["day"].startswith("*") and not fields["day_of_week"].startswith("*"):
        raise FaultsError([
            Fault(
                "a crontab runs when day or weekday matches, a trigger when both do",
                "write two jobs, one with day= and one with day_of_week=",
                "crontab",
                repr(text),
            )
        ])  # fmt: skip
    fields["day_of_week"] = ",".join(_weekdays(each) for each in fields["day_of_week"].split(","))
    return fields


def _weekdays(item: str) -> str:
    """One item of the weekday field, numbers as names; ranges are spelled out, for Sunday is first or last."""
    found = re.fullmatch(r"(\*|[0-7]|[a-z]{3})(?:-([0-7]|[a-z]{3}))?(?:/(\d+))?", item.lower())
    if not found or (found[1] == "*" and not found[3]):
        return item
    step = int(found[3] or 1)
    first = 0 if found[1] == "*" else _number(found[1])
    last = _number(found[2]) if found[2] else 6 if found[3] else first
    if found[2] in {"0", "sun"}:
        last = 7
    if step == 0 or first < 0 or last < first:
        return item  # the parser says what is wrong with it
    return ",".join(dict.fromkeys(WEEKDAYS[day] for day in range(first, last + 1, step)))


def _number(word: str) -> int:
    if word.isdigit():
        return int(word)
    return WEEKDAYS.index(word) if word in WEEKDAYS else -1
