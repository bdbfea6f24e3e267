"""Faults of what decides who is told of a job, and when."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="UTC", notify="oops", ping="https://hc-ping.com/0123456789abcdef", owner="")
scheduler.add_job(count, "cron", id="names", hour=1, notify=["pager", "sms"], ping="stock_ping", owner="a\nb")
scheduler.add_job(count, "cron", id="lists", hour=1, notify=["ops", "ops"], alert_after=0, quiet="22-7")
scheduler.add_job(count, "cron", id="kinds", hour=1, notify={"ops": 1}, alert_after=True, quiet="07:00-07:00")
scheduler.add_job(count, "cron", id="routes", hour=1, notify="ops team")
scheduler.add_job(count, "cron", id="spans", hour=1, expected_duration="soon", expected_at_least=True)
scheduler.add_job(count, "cron", id="never_slow", hour=1, timeout="10min", expected_duration="20min")
scheduler.add_job(count, "cron", id="never_in_time", hour=1, expected_duration=10, expected_at_least=10)
scheduler.add_job(count, "cron", id="never_long_enough", hour=1, expected_at_least="2h")
scheduler.add_job(count, "cron", id="links", hour=1, runbook="wiki/stock", ping="https://me:secret@ping.example/1")
scheduler.add_job(count, "cron", id="placeholders", hour=1, runbook="https://wiki/{job}", ping="https://a/{run}")
