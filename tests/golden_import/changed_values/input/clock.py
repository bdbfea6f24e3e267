"""Lists, dictionaries and names that are changed before jobs are made of them."""
import os
import sys

from apscheduler.schedulers.background import BackgroundScheduler

from shop import app
from shop.tasks.booking import count, remind


class Base:
    hour = 1

    def add(self, scheduler):
        scheduler.add_job(count, "cron", hour=self.hour, id=self.name)


class One(Base):
    name = "one"


class Two(Base):
    name = "two"
    hour = 2


def make(tz="Europe/Paris", **more):
    return BackgroundScheduler(timezone=tz, **more)


def nightly(hour, function, *args, minute=30, **more):
    scheduler.add_job(function, "cron", list(args), hour=hour, minute=minute, **more)


scheduler = make(job_defaults=dict(misfire_grace_time=30))
for kind in (One, Two):
    kind().add(scheduler)

SETTINGS = {"a": {"hour": 4}}
SETTINGS["b"] = {"hour": 5}
SETTINGS.update({"c": {"hour": 6}})
SETTINGS.setdefault("d", {"hour": 7})
SETTINGS.pop("a")
for name, fields in SETTINGS.items():
    scheduler.add_job(count, "cron", id=name, **fields)

NAMES = ["x"]
NAMES.append("y")
NAMES.extend(["zz", "zz"])
NAMES.remove("x")
NAMES += ["last"]
for position, name in enumerate(NAMES):
    scheduler.add_job(count, "cron", hour=8, minute=position, id=f"{name}_{position}")

nightly(9, count, id="plain")
nightly(10, remind, app, "mail", minute=45, id="with_more")



def more_names():
    NAMES.append("by_a_function")


more_names()
scheduler.add_job(count, "cron", hour=17, minute=len(NAMES), id="as_many_as_names")


def task():
    """Gives a number."""
    return 0


scheduler.add_job(task(), "cron", hour=18, id="called")

HOUR = 11
if "--late" in sys.argv:
    HOUR = 12
scheduler.add_job(count, "cron", hour=HOUR, id="perhaps_later")
PERHAPS = [13]
if os.environ.get("MORE"):
    PERHAPS.append(14)
for hour in PERHAPS:
    scheduler.add_job(count, "cron", hour=hour, id=f"perhaps_{hour}")
if os.environ.get("WHERE") == "here":
    MINUTE = 5
else:
    MINUTE = 5
scheduler.add_job(count, "cron", hour=15, minute=MINUTE, id="either_way")
ARGUMENTS = [app, "mail"]
scheduler.add_job(remind, "cron", ARGUMENTS, hour=16, id="as_it_was")
ARGUMENTS.append("too many")
scheduler.start()
