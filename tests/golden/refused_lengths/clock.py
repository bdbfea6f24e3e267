"""What systemd or Linux would not take: names, descriptions, arguments and variables that are too long, or controls."""

from shop.tasks.booking import count, remind

from scheduled_tasks import Clock, app

DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]

scheduler = Clock(timezone="UTC", description="\x1b[2J")
scheduler.add_job(count, "cron", id="i" * 75, hour=1)
scheduler.add_job(count, "cron", id="i" * 76, hour=1)
scheduler.add_job(count, "cron", id="long_name", name="n" * 1001, hour=1)
scheduler.add_job(count, "cron", id="two_lines", name="one\ntwo", hour=1)
scheduler.add_job(count, "cron", id="no_text", name=7, hour=1)
scheduler.add_job(remind, "cron", [app, "x" * 131_042], id="longest_args", hour=1)
scheduler.add_job(remind, "cron", [app, "x" * 131_050], id="long_args", hour=1)
scheduler.add_job(remind, "cron", [app], {"channel": "é" * 22_000}, id="long_kwargs", hour=1)
scheduler.add_job(remind, "cron", [app, DEEP], id="deep", hour=1)
scheduler.add_job(count, "cron", id="long_variable", hour=1, environment={"X": "x" * 131_070})
scheduler.add_job(count, "cron", id="variables", hour=1, environment={f"X{i}": "x" * 99_990 for i in range(5)})
scheduler.add_job(count, "cron", id="long_path", hour=1, working_directory="/" + "x" * 256)
scheduler.add_job(count, "cron", id="paths", hour=1, read_write_paths=[f"/srv/{i}/{'x' * 200}" for i in range(2000)])
scheduler.add_job(count, "cron", id="long_unit", hour=1, after=["u" * 248 + ".service"])
