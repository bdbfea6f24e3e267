"""Read what all triggers have: the zone, start and end, the jitter. Collects the faults and warnings of one trigger.

Values as a clock file has them go in; instants in UTC, a zone's name and seconds come out. The host's own zone is never
used silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from apscheduler.util import convert_to_datetime

from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.schedule.trigger import FIRST_YEAR, LAST_YEAR
from scheduled_tasks.schedule.zone import same_zone, why_no_zone, zone_info, zone_name

WALL = timezone(timedelta(0), "wall")  # marks a date that was written without a zone
MAX_JITTER = 604800  # seconds; systemd would take any number, and delay a run by years


class TriggerReader:
    """Collects the faults of one trigger while its parts are read."""

    def __init__(self, timezone: str | tzinfo) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[str] = []
        self.zone = "UTC"  # until a valid one is read, so that faults of dates are found even if the zone is faulty
        self.read_zone(timezone)

    def fault(self, field: str, value: object, problem: str, instead: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(problem, instead, field, repr(value)))

    def read_zone(self, value: object) -> None:
        """Take the zone of this value, or add its fault and keep the present one."""
        if problem := why_no_zone(value):
            self.fault("timezone", value, problem, same_zone(value) or "write for example timezone='Europe/Paris'")
        else:
            self.zone = zone_name(value) or self.zone

    def read_instant(self, field: str, value: object) -> datetime | None:
        """A date, a datetime or text as a UTC instant; a value without a zone is in the trigger's."""
        try:
            local = _with_zone(value, zone_info(self.zone), field)
            at = local and local.astimezone(UTC)
        except (ValueError, TypeError, OverflowError) as error:
            self.fault(field, value, str(error).rstrip("."), f"write {field}='2027-01-31' or '2027-01-31 06:00:00'")
            return None
        if local is None or at is None:
            return None
        if min(at.year, local.year) < FIRST_YEAR:
            self.fault(field, value, f"is before {FIRST_YEAR}", "leave it out, or write a later date")
        elif max(at.year, local.year) > LAST_YEAR:
            instead = f"write a date up to {LAST_YEAR}{', or leave it out' if field == 'end_date' else ''}"
            self.fault(field, value, f"is after {LAST_YEAR}, the last year of a systemd timer", instead)
        else:
            self.warn_of_shift(field, local)
            return at
        return None

    def warn_of_shift(self, field: str, local: datetime) -> None:
        """Warn of a time that the wall clock skips, or shows twice."""
        first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        day = f"on {local:%a %Y-%m-%d} in {local.tzinfo}"
        if first > second:
            taken = first.astimezone(local.tzinfo)
            self.warnings.append(f"{field}: {local:%H:%M} does not exist {day}: {taken:%H:%M} is taken")
        elif first < second and not local.fold:
            self.warnings.append(
                f"{field}: {local:%H:%M} occurs twice {day}: the first time is taken, {rfc3339(first)}; "
                f"write '{rfc3339(second)}' for the second"
            )

    def read_bounds(self, fields: Mapping[str, object]) -> dict[str, Any]:
        """`start`, `end` and `jitter` of a Trigger."""
        start = self.read_instant("start_date", fields.get("start_date"))
        end = self.read_instant("end_date", fields.get("end_date"))
        if start and end and start > end:
            self.fault("end_date", fields["end_date"], "is before start_date, so the job would never run", "swap them")
        return {"start": start and ceil(start), "end": end, "jitter": self.read_jitter(fields.get("jitter"))}

    def read_jitter(self, value: object) -> int | None:
        """The jitter in seconds; None for 0."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fault("jitter", value, "not a whole number of seconds", "write e.g. jitter=30")
        elif value > MAX_JITTER:
            self.fault("jitter", value, "is longer than a week", f"write at most {MAX_JITTER}, in seconds")
        else:
            return value or None
        return None

    def raise_faults(self) -> None:
        """Raise FaultsError if there are faults."""
        if self.faults:
            raise FaultsError(self.faults)


def _with_zone(value: object, zone: tzinfo, field: str) -> datetime | None:
    """The date as it was written; in this zone if it has none. APScheduler would change a time that does not exist."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, str) and not value.isascii():
        raise ValueError("Invalid date string")
    written: datetime | None = convert_to_datetime(value, WALL, field)
    return written.replace(tzinfo=zone) if written and written.tzinfo is WALL else written


def ceil(value: datetime) -> datetime:
    """Round up to a whole second, as APScheduler does."""
    return value + timedelta(seconds=1, microseconds=-value.microsecond) if value.microsecond else value
