"""Measure the translation of many different triggers with ten-year horizons, and the merged preview of as many jobs.

Prints its figures beside APScheduler's own cost of one get_next_fire_time for the same triggers. Not a test.
Run: python benchmarks/schedule.py [COUNT]
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from itertools import islice

from apscheduler.triggers.cron import CronTrigger

from scheduled_tasks.cli.time import ScheduledJob, merged
from scheduled_tasks.schedule import read_trigger, translate

ZONES = ("Europe/Paris", "UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Tokyo")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def made(count: int) -> list[dict[str, str]]:
    """So many different triggers, of the kinds that clocks have: mostly daily, some hourly, some odd."""
    dice = random.Random(2026)
    triggers: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    while len(triggers) < count:
        fields = {"minute": str(dice.randrange(60)), "timezone": dice.choice(ZONES)}
        kind = dice.choice(("daily",) * 7 + ("some hours", "often", "hourly"))
        if kind == "daily":
            fields["hour"] = str(dice.randrange(24))
        elif kind == "some hours":
            fields["hour"] = f"*/{dice.choice((2, 3, 4, 6, 8))}"
        elif kind == "often":
            fields["minute"] = f"*/{dice.choice((5, 10, 15, 20))}"
        days = dice.choice(("any", "any", "any", "weekday", "day"))
        if days == "weekday":
            fields["day_of_week"] = dice.choice(("mon-fri", "sun", "mon", "sat,sun"))
        elif days == "day":
            fields["day"] = dice.choice(("1", "last", "1st mon", "15", "last fri"))
        if "hour" in fields:
            fields["second"] = str(dice.choice((0, dice.randrange(60))))
        triggers[tuple(fields.items())] = fields
    return list(triggers.values())


def main() -> None:
    """Print one line for each of three growing counts: the cost should be linear."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    all_fields = made(most)
    for count in (most // 10, most // 3, most):
        fields = all_fields[:count]
        start = time.perf_counter()
        triggers = [read_trigger("cron", values, timezone="UTC") for values in fields]
        read = time.perf_counter() - start
        start = time.perf_counter()
        timings = [translate(trigger, now=NOW) for trigger in triggers]
        translated = time.perf_counter() - start
        lines = sum(len(timing.on_calendar) for timing in timings)
        theirs = [CronTrigger(**values) for values in fields]
        start = time.perf_counter()
        for trigger in theirs:
            trigger.get_next_fire_time(None, NOW)
        apscheduler = time.perf_counter() - start
        jobs = [ScheduledJob("bench", f"job{n}", trigger, None) for n, trigger in enumerate(triggers)]
        start = time.perf_counter()
        runs = len(list(islice(merged(jobs, NOW, None), 100)))
        preview = time.perf_counter() - start
        print(
            f"{count:6} triggers: read {read:.2f} s, translated {translated:.2f} s ({lines} lines), "
            f"next {runs} runs of all merged {preview:.2f} s; "
            f"APScheduler: one get_next_fire_time each {apscheduler:.2f} s"
        )


if __name__ == "__main__":
    main()
