"""Jobs as rows of a table: named tuples, dataclasses, dictionaries, names."""
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Callable, NamedTuple

from apscheduler.schedulers.blocking import BlockingScheduler

from shop import app
from shop.tasks import booking
from shop.tasks.booking import cancel_expired_bookings, count, remind

Row = namedtuple("Row", "name function hour")
Other = namedtuple("Other", ["name", "minute"], defaults=[5])


class Typed(NamedTuple):
    name: str
    function: Callable
    hour: int
    minute: int = 30


@dataclass(frozen=True)
class Spec:
    function: Callable
    trigger: str
    args: list = field(default_factory=list)
    options: dict = field(default_factory=dict)


ROWS = [Row("row_one", count, 1), Row(name="row_two", function=count, hour=13)]
TYPED = (Typed("typed_one", count, 2), Typed("typed_two", count, 14, minute=45))
SPECS = [
    Spec(remind, "cron", [app, "mail"], {"id": "spec_mail", "hour": 7}),
    Spec(function=count, trigger="interval", options={"id": "spec_count", "hours": 6}),
]
DICTS = [
    {"func": count, "trigger": "cron", "id": "dict_count", "hour": "*/3", "minute": 10},
    {"func": cancel_expired_bookings, "args": [app], "trigger": "cron", "id": "dict_cancel", "hour": 4},
]
BY_NAME = {"count": {"hour": 5}, "cancel_expired_bookings": {"args": [app], "hour": 6}}

scheduler = BlockingScheduler(timezone="Europe/Paris")
for row in ROWS:
    scheduler.add_job(row.function, "cron", hour=row.hour, id=row.name)
for name, function, hour, minute in TYPED:
    scheduler.add_job(function, "cron", hour=hour, minute=minute, id=name)
for spec in SPECS:
    scheduler.add_job(spec.function, spec.trigger, args=spec.args, **spec.options)
for each in DICTS:
    scheduler.add_job(**each)
for name, fields in BY_NAME.items():
    scheduler.add_job(getattr(booking, name), "cron", id=f"by_name_{name}", **fields)
for position, other in enumerate([Other("first"), Other("second", 7)], start=1):
    scheduler.add_job(count, "cron", hour=position, minute=other.minute, id=f"other_{other.name}")
for args in [(count, "cron"), (count, "interval")]:
    scheduler.add_job(*args, id=f"star_{args[1]}", **({"day": 1} if args[1] == "cron" else {"days": 1}))
scheduler.start()
