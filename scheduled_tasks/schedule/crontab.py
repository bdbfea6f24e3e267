"""Read a crontab's five fields as cron does.

Text such as `11 7 * * 4` goes in; cron-trigger fields for `read_trigger` come out. `CronTrigger.from_crontab` is not
used: it reads weekday 4 as Friday, while every crontab since the seventh edition means Thursday (crontab(5)).
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
    """The cron trigger's fields for a crontab expression. Raises FaultsError if no single trigger is equivalent."""
    words = MACROS.get(text.strip().lower(), text).split()
    if len(words) != len(NAMES):
        instead = "write minute, hour, day of month, month and day of week, as in '11 7 * * 4'"
        raise FaultsError([Fault(f"{len(words)} fields; a crontab line has five", instead, "crontab", repr(text))])
    fields = dict(zip(NAMES, words, strict=True))
    if not fields["day"].startswith("*") and not fields["day_of_week"].startswith("*"):
        problem = "a crontab line runs when day or weekday matches, a trigger only when both do"
        instead = "write two jobs, one with day= and one with day_of_week="
        raise FaultsError([Fault(problem, instead, "crontab", repr(text))])
    fields["day_of_week"] = ",".join(_weekdays(item) for item in fields["day_of_week"].split(","))
    return fields


def _weekdays(item: str) -> str:
    """Write one item of the weekday field as names; ranges are spelled out, since Sunday can be first or last."""
    match = re.fullmatch(r"(\*|[0-7]|[a-z]{3})(?:-([0-7]|[a-z]{3}))?(?:/(\d+))?", item.lower())
    if not match or (match[1] == "*" and not match[3]):
        return item
    step = int(match[3] or 1)
    first = 0 if match[1] == "*" else _number(match[1])
    last = _number(match[2]) if match[2] else 6 if match[3] else first
    if match[2] in {"0", "sun"}:
        last = 7
    if step == 0 or first < 0 or last < first:
        return item  # the parser reports what is wrong with it
    return ",".join(dict.fromkeys(WEEKDAYS[day] for day in range(first, last + 1, step)))


def _number(word: str) -> int:
    if word.isdigit():
        return int(word)
    return WEEKDAYS.index(word) if word in WEEKDAYS else -1
