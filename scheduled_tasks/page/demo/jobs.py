"""The sample's jobs: when each runs, how long it takes, and how it fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scheduled_tasks.schedule.parser import read_trigger

if TYPE_CHECKING:
    from scheduled_tasks.schedule.trigger import Trigger

ZONE = "Europe/Paris"


@dataclass(frozen=True)
class SampleJob:
    """A job of the sample: its schedule, how long it takes, and how it fares."""

    clock: str
    job: str
    fields: Mapping[str, Any]
    takes: float  # seconds, usually
    owner: str = "shop"
    fails: float = 0.0  # share of its runs
    memory: float = 60.0  # MiB
    options: Mapping[str, Any] = field(default_factory=dict)
    flag: str = ""

    @property
    def task(self) -> str:
        """Its task."""
        return f"{self.clock}.{self.job}"

    @property
    def source(self) -> str:
        """Where it is written."""
        return f"/opt/shop/clocks/{self.clock}.py:{10 + 4 * JOBS.index(self)}"

    @property
    def trigger(self) -> Trigger:
        """Its schedule."""
        return trigger(self.fields)


def trigger(fields: Mapping[str, Any]) -> Trigger:
    """A schedule in the sample's zone."""
    return read_trigger("cron", dict(fields), timezone=ZONE)


JOBS = (
    SampleJob("booking", "cancel_expired_bookings", {"minute": "*/15"}, 3.2, fails=0.004),
    SampleJob("booking", "archive_past_events", {"hour": "4", "minute": "10"}, 190, memory=240),
    SampleJob("booking", "remind_visitors", {"hour": "9"}, 44, owner="marketing", flag="REMIND_VISITORS"),
    SampleJob("booking", "close_the_day", {"hour": "23", "minute": "55"}, 18),
    SampleJob("algolia", "index_offers_in_error", {"minute": "*/10"}, 8, owner="search", fails=0.02),
    SampleJob("algolia", "index_venues", {"minute": "5"}, 36, owner="search", memory=150),
    SampleJob("algolia", "index_everything", {"hour": "2", "minute": "30"}, 5400, owner="search", memory=900),
    SampleJob("titelive", "synchronize_products", {"hour": "*/4", "minute": "0"}, 640, owner="data", memory=410),
    SampleJob("titelive", "synchronize_stocks", {"minute": "*/30"}, 75, owner="data", fails=0.01, memory=220),
    SampleJob("billing", "export_invoices", {"hour": "*/2", "minute": "15"}, 61, owner="finance", memory=130),
    SampleJob("billing", "reconcile_payments", {"minute": "20,50"}, 22, owner="finance"),
    SampleJob("billing", "send_reminders", {"day_of_week": "mon-fri", "hour": "8"}, 90, owner="finance"),
    SampleJob("reports", "sum_up_the_day", {"hour": "0", "minute": "20"}, 410, owner="data", memory=620),
    SampleJob("reports", "weekly_figures", {"day_of_week": "mon", "hour": "6"}, 900, owner="data", memory=700),
    SampleJob("housekeeping", "clean_temporary_files", {"hour": "3"}, 12, owner="ops", options={"per_host": True}),
    SampleJob("housekeeping", "renew_certificates", {"hour": "5,17"}, 6, owner="ops"),
)
