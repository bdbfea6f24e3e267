"""docs/how-to/be-told.md, literally: its YAML, its SQL and its play, and then a mail about a job that fails."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import yaml

from scheduled_tasks.alert.sender import LINES_WITHIN
from tests.documented import blocks
from tests.machine.controller import SECRET, Controller
from tests.machine.deployments.steps import rows, timers
from tests.machine.postgresql import NOTIFIER, Database
from tests.machine.waiting import wait_for
from tests.sinks import PASSWORD, USER, MailServer, mail_server

pytestmark = pytest.mark.xdist_group("deployments")  # two machines for all of them

PAGE = "how-to/be-told.md"
TASK = """
import logging

from scheduled_tasks import log_cron


@log_cron
def send():
    logging.getLogger(__name__).info("opened the printer")
    raise OSError("the printer is out of paper")
"""
CLOCK = """
from scheduled_tasks import Clock
from shop.tasks.labels import send

scheduler = Clock(owner="warehouse")
scheduler.add_job(send, "cron", id="send", minute="*")
"""
# On a busy machine the job has failed again by the time the message is written.
FAILED = re.compile(r"labels/send failed(, \d+\w\w in a row)?")


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server(auth_require_tls=False) as server:
        yield server


def variables_of_the_guide(fleet: Controller, mail: MailServer, database: Database) -> dict[str, object]:
    """The guide's variables, with this mail server's address and login."""
    [text] = [block.text for block in blocks(PAGE) if block.language == "yaml"]
    for example, ours in (
        ("clocks:PASSWORD@192.0.2.25:587", f"{quote(USER)}:{PASSWORD}@127.0.0.1:{mail.port}"),
        ("192.0.2.25", "127.0.0.1"),
    ):
        assert example in text
        text = text.replace(example, ours)
    variables: dict[str, object] = yaml.safe_load(text)
    credentials = variables["scheduled_tasks_credentials"]
    assert isinstance(credentials, dict)
    credentials["notify.database_url"] = database.notifier
    fleet.replace(
        "deploy/inventory.yml", "tasks_role: shop_tasks", f"tasks_role: shop_tasks\n      notifier_role: {NOTIFIER}"
    )
    return variables


def mail_about(subject: re.Pattern[str], mail: MailServer, database: Database) -> EmailMessage:
    """Wait for the mail with such a subject; on a busy machine there can be others, as of a job that started late."""
    try:
        [found] = wait_for("a mail", lambda: [sent for sent in mail.mails if subject.fullmatch(str(sent["Subject"]))])
    except AssertionError as error:
        subjects = [str(sent["Subject"]) for sent in mail.mails]
        raise AssertionError(f"{error}\n{subjects}\n" + "\n".join(map(str, notices(database)))) from None
    told: EmailMessage = found
    return told


def notices(database: Database, job: str = "%") -> list[tuple[Any, ...]]:
    """The notices of jobs whose names are like this, without reminders; last in each when it was sent, why dropped."""
    return rows(
        database,
        "SELECT clock, job, kind, what, due_at, held, tries, error, sent_as, sent_at, dropped"
        f" FROM notice JOIN incident ON incident.id = incident WHERE job LIKE '{job}' AND what <> 'still'"
        " ORDER BY created_at",
    )


def test_a_deploy_with_a_route_and_a_job_that_fails_ends_in_a_mail(
    fleet: Controller, database: Database, mail: MailServer, record_property: Callable[[str, object], None]
) -> None:
    [create] = [block.text for block in blocks(PAGE) if block.language == "sql"]
    with psycopg.connect(database.administrator, autocommit=True) as connection:
        connection.execute(create.replace("…", f"{SECRET}-{NOTIFIER}").encode())
    fleet.variables |= variables_of_the_guide(fleet, mail, database)
    fleet.write("shop/tasks/labels.py", TASK)
    fleet.write("shop/clocks/labels.py", CLOCK)
    fleet.play("somebody is told")
    began = time.monotonic()
    told = mail_about(FAILED, mail, database)
    record_property("seconds from the end of the deploy to the mail", round(time.monotonic() - began))
    assert str(told["To"]) == "ops@example.org"
    text, html = (str(told.get_body((kind,)).get_content()) for kind in ("plain", "html"))  # type: ignore[union-attr]
    for part in (text, html):
        assert "OSError: the printer is out of paper" in part
        assert "warehouse" in part
    [shown] = re.findall(r"Do next: `clocks show (\w+)`", " ".join(text.split()))
    # The job fails each minute. On a busy machine the mail can be about a later run than the first, and be sent before
    # that run's lines are stored: it waits a minute for them.
    stored = f"SELECT captured_at - requested_at FROM run_log WHERE job = 'send' AND run_id::text LIKE '{shown}%'"
    [(seconds,)] = wait_for("the run's lines", lambda: [row for row in rows(database, stored) if row[0] is not None])
    assert isinstance(seconds, timedelta)
    record_property("seconds until the run's lines were stored", round(seconds.total_seconds()))
    if seconds < LINES_WITHIN:
        assert "opened the printer" in text
        assert "opened the printer" in html
    assert SECRET not in text + html
    for machine in fleet.machines.values():  # what the message says to do, on any host
        assert "the printer is out of paper" in machine.run("clocks", "show", shown).stdout
    senders = rows(database, "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE '%notify%'")
    assert senders in ([], [(NOTIFIER,)])
    assert mail.logins >= 1


def test_the_play_that_tests_routes_sends_from_each_host_and_says_what_a_route_refuses(
    fleet: Controller, mail: MailServer
) -> None:
    before = len(mail.mails)
    play = fleet.play("test of the routes", playbook="notify_test")
    assert "Sent by ops." in play.output
    assert play.changed == {"app1": [], "app2": []}
    tests = sorted(str(sent["Subject"]) for sent in mail.mails[before:] if str(sent["Subject"]).startswith("Test"))
    assert tests == ["Test of the route ops, from app1", "Test of the route ops, from app2"]
    mail.refuses["ops@example.org"] = "550 no such user here"
    play = fleet.play("test of a route that refuses", "--limit=app2", playbook="notify_test", fails=True)
    mail.refuses.clear()
    assert "550 no such user here" in " ".join(play.output.split())


def test_a_job_that_is_removed_is_told_as_over(fleet: Controller, database: Database, mail: MailServer) -> None:
    for path in ("shop/tasks/labels.py", "shop/clocks/labels.py"):
        (fleet.project / path).unlink()
    fleet.play("without the job that fails")
    over = re.compile("labels/send is no longer bad: no host has the job any more")
    mail_about(over, mail, database)
    subjects = [str(sent["Subject"]) for sent in mail.mails]
    assert [sum(1 for subject in subjects if about.fullmatch(subject)) for about in (FAILED, over)] == [1, 1]
    for machine in fleet.machines.values():
        assert "clock-labels-send.timer" not in timers(machine)
    # The sender records a mail after the server has taken it.
    wait_for("nothing left to send", lambda: all(row[-2:] != (None, None) for row in notices(database, "send")))
