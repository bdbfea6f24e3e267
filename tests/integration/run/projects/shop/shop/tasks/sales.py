"""Tasks behind flags, and one that talks to PostgreSQL while it runs."""

from __future__ import annotations

import logging
import os
import sys

import psycopg

from scheduled_tasks import cron_require_feature, log_cron
from shop.features import FeatureToggle

logger = logging.getLogger(__name__)


@log_cron
@cron_require_feature(FeatureToggle.SELL)
def sell() -> None:
    logger.info("sold")


@cron_require_feature(FeatureToggle.SELL)
def sell_without_a_word() -> None:
    logger.info("sold")


@log_cron
@cron_require_feature(FeatureToggle.GIVE_AWAY)
def give_away() -> None:
    logger.info("given away")


@log_cron
@cron_require_feature(FeatureToggle.SELL)
def wait_for_input() -> None:
    logger.info("ready")
    sys.stdin.readline()


@log_cron
def ask_for_other_flags() -> None:
    give_away()
    sell()


@log_cron
def drop_the_table() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("DROP TABLE task_run CASCADE")
