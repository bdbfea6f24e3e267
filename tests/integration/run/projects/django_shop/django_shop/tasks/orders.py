"""Tasks with and without uncommitted changes."""

import logging

from django.db import connection, transaction

from django_shop.models import Order
from scheduled_tasks import cron_context, log_cron


@log_cron
@cron_context
def saves(app):
    Order.objects.create(name="apples")
    logging.getLogger(__name__).info("%s is ready: %s, order %s", type(app).__name__, app.ready, Order.objects.count())


@log_cron
@cron_context
def saves_in_a_transaction(app):
    with transaction.atomic():
        Order.objects.create(name="apples")


@log_cron
@cron_context
def does_nothing(app):
    pass


@log_cron
@cron_context
def only_reads(app):
    transaction.set_autocommit(False)
    Order.objects.count()


@log_cron
@cron_context
def commits(app):
    transaction.set_autocommit(False)
    Order.objects.create(name="apples")
    transaction.commit()


@log_cron
@cron_context
def closes(app):
    Order.objects.count()
    connection.close()


@log_cron
@cron_context
def does_not_commit(app):
    transaction.set_autocommit(False)
    Order.objects.create(name="apples")
