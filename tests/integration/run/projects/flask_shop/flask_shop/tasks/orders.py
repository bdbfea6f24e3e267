"""Tasks with and without uncommitted changes."""

import logging

import flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from flask_shop import Order, db
from scheduled_tasks import cron_context, log_cron


@log_cron
@cron_context
def commits(app):
    assert flask.current_app.name == app.name
    db.session.add(Order(name="apples"))
    db.session.commit()
    logging.getLogger(__name__).info("%s has %s order", flask.current_app.name, Order.query.count())


@log_cron
@cron_context
def only_reads(app):
    Order.query.count()


@log_cron
@cron_context
def does_nothing(app):
    pass


@log_cron
@cron_context
def rolls_back(app):
    db.session.add(Order(name="apples"))
    db.session.flush()
    db.session.rollback()


@log_cron
@cron_context
def adds(app):
    db.session.add(Order(name="apples"))


@log_cron
@cron_context
def flushes(app):
    db.session.add(Order(name="apples"))
    db.session.flush()


@log_cron
@cron_context
def executes(app):
    db.session.execute(text("INSERT INTO \"order\" (name) VALUES ('apples')"))


@log_cron
@cron_context
def goes_on_after_a_failed_flush(app):
    db.session.add_all([Order(name="apples"), Order(name="apples")])
    try:
        with db.session.no_autoflush:
            db.session.flush()
    except IntegrityError:
        pass


@log_cron
@cron_context
def goes_on_after_a_failed_statement(app):
    db.session.execute(text("INSERT INTO \"order\" (name) VALUES ('apples')"))
    try:
        db.session.execute(text("SELECT nonsense"))
    except ProgrammingError:
        pass
