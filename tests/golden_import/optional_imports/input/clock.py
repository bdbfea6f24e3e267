# -*- coding: latin-1 -*-
"""Tâches de la nuit."""
try:
    import ujson as json
except ImportError:
    import json
try:
    from zoneinfo import ZoneInfo
except ImportError:
    from backports.zoneinfo import ZoneInfo
import sys

if sys.version_info >= (3, 8):
    from typing import Final
else:
    from typing_extensions import Final

from apscheduler.schedulers.blocking import BlockingScheduler

PARIS: Final = ZoneInfo(key="Europe/Paris")
scheduler: BlockingScheduler = BlockingScheduler(timezone=PARIS)


@scheduler.scheduled_job("cron", hour=4, minute=20)
def résumé():
    """Write what the day brought."""
    print(json.dumps({"déjà": "vu"}))


scheduler.start()
