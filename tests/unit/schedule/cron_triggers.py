"""Cron triggers in the zone of Paris, for the tests of the parser."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from scheduled_tasks.schedule import read_trigger
from scheduled_tasks.schedule.trigger import Cron

PARIS = ZoneInfo("Europe/Paris")


def cron(**fields: object) -> Cron:
    trigger = read_trigger("cron", fields, timezone="Europe/Paris")
    assert isinstance(trigger, Cron)
    return trigger
