"""What the screens of jobs, clocks and changes say, without a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from scheduled_tasks.page import demo
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import ANNA, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASKED = """
INSERT INTO request (kind, clock, job, reason, asked_by, outcome, finished_at) VALUES
    ('run', 'booking', 'remind_visitors', 'the mail is right now', 'dora', 'done', now()),
    ('run', 'booking', 'close_the_day', 'of another job', 'dora', 'done', now());
INSERT INTO pause (clock, job, paused_at, paused_by, reason, resumed_at, resumed_by, resume_reason) VALUES
    (NULL, NULL, now() - interval '3 hours', 'emil', 'the database moves', now() - interval '2 hours', 'emil',
     'it moved'),
    ('booking', 'close_the_day', now() - interval '3 hours', 'emil', 'of another job', NULL, NULL, NULL);
INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason)
SELECT 'INDEX_OFFERS', now() - n * interval '1 second', 'ben', true, true, 'of another job'
  FROM generate_series(1, 30) AS n;
INSERT INTO notice (incident, what, created_at, due_at, tries, route, error)
SELECT id, 'opened', opened_at, opened_at, 3, 'mail', 'no route to mail.example' FROM incident WHERE kind = 'silent';
UPDATE deployed_job SET valid_until = now() - interval '2 hours' WHERE job = 'index_venues';
INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)
SELECT host, clock, job, 'algolia.index_venues_and_halls', schedule, options || '{"timeout": 1200, "owner": null}',
       valid_until FROM deployed_job WHERE job = 'index_venues';
"""


@pytest.fixture(scope="module")
def ledger(server: Callable[[str], str]) -> str:
    """A sample of its own, in which people did more."""
    ledger = demo.make(server("postgres"), "page_screens")
    with psycopg.connect(ledger) as connection:
        connection.execute(ASKED)
    return ledger


@pytest.fixture(scope="module")
def url(ledger: str) -> Iterator[str]:
    with serving(create_app(ledger, zone="Europe/Paris", access=ANNA)) as url:
        yield url


def text(html: str) -> str:
    """What a person reads, in one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html.replace("<wbr>", "")))).strip()


def rows(html: str, caption: str) -> list[list[str]]:
    """The cells of each row of a table, by its caption."""
    [table] = [table for table in re.findall(r"<table.*?</table>", html, re.DOTALL) if f">{caption}" in table]
    body = table.partition("<tbody>")[2]
    return [[text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in body.split("<tr>")[1:]]


def test_a_jobs_screen_says_who_changed_what_of_it_and_nothing_of_other_jobs(url: str) -> None:
    html = httpx.get(f"{url}/job/booking/remind_visitors").text
    assert [row[1:] for row in rows(html, "What people and deployments changed of this job")] == [
        ["asked for a run: done", "dora: the mail is right now"],
        ["all clocks resumed on all hosts", "emil: it moved"],
        ["all clocks paused on all hosts", "emil: the database moves"],
        ["flag REMIND_VISITORS switched off", "clara: wrong dates in the mail of Friday"],
        ["deployed on app1, app2, app3", "ben"],
    ]
    assert re.search(r'<a href="/request/\d+">asked for a run: done</a>', html)


def test_a_jobs_screen_names_the_line_that_adds_it_and_its_flag(url: str) -> None:
    html = httpx.get(f"{url}/job/booking/remind_visitors").text
    assert "Clock file /opt/shop/clocks/booking.py:18 " in text(html)
    assert "Feature flag REMIND_VISITORS " in text(html)


def test_a_deployment_that_changes_a_jobs_schedule_is_one_change_of_it(url: str) -> None:
    html = httpx.get(f"{url}/job/billing/export_invoices").text
    deployed = [row[1] for row in rows(html, "What people and deployments changed") if "deploy" in row[1]]
    assert deployed == ["changed by a deployment on app1, app2, app3", "deployed on app1, app2, app3"]


def test_a_jobs_schedule_as_it_was_says_what_else_a_deployment_changed(url: str) -> None:
    html = httpx.get(f"{url}/job/algolia/index_venues").text
    changed = (
        "owner: search → none task: algolia.index_venues → algolia.index_venues_and_halls time limit: 10 min → 20 min"
    )
    assert [row[2] for row in rows(html, "Schedules of this job")] == [
        f"at minute 5 of every hour, Europe/Paris time {changed}",
        "at minute 5 of every hour, Europe/Paris time",
    ]


def test_the_changes_of_all_have_those_of_each(url: str) -> None:
    changed = [row[1:] for row in rows(httpx.get(f"{url}/changes").text, "Changes")]
    assert ["booking/ remind_visitors asked for a run: done", "dora: the mail is right now"] in changed
    assert ["booking/ close_the_day paused on all hosts", "emil: of another job"] in changed
    assert ["1 job deployed on app1, app2, app3", "ben: release 2.15.0"] in changed
    assert ["16 jobs deployed on app1, app2, app3", "ben"] in changed


def test_jobs_can_be_found_that_nobody_ran(url: str) -> None:
    found = re.findall(r'href="/job/([^"]+)"', httpx.get(f"{url}/jobs?state=missed").text)
    assert "reports/sum_up_the_day" in found
    assert "billing/export_invoices" not in found, "it failed"


def results_of_24_hours(ledger: str) -> dict[str, list[str]]:
    """What became of the slots of this hour and the 23 before, by clock; the bad results first."""
    numbers: dict[str, list[str]] = {}
    with psycopg.connect(ledger) as connection:
        for clock, number in connection.execute(
            "SELECT clock, count(*) || ' ' || status FROM task_run"
            " WHERE status <> 'started' AND scheduled_at >= date_trunc('hour', now()) - interval '23 hours'"
            " GROUP BY clock, status ORDER BY array_position('{missed,lost,failed,skipped,ended}', status)"
        ):
            numbers.setdefault(clock, []).append(number)
    return {clock: [f"Last 24 hours: {', '.join(words)}"] for clock, words in numbers.items()}


def test_a_clock_has_a_strip_of_its_last_24_hours_that_says_its_results(url: str, ledger: str) -> None:
    counted = results_of_24_hours(ledger)
    html = httpx.get(f"{url}/jobs").text
    blocks = re.split(r'<span class="name">', html)[1:]
    said = {block.partition("<")[0]: re.findall(r'aria-label="(Last 24 hours: [^"]*)"', block) for block in blocks}
    assert list(said) == ["algolia", "billing", "booking", "housekeeping", "reports", "titelive"]
    # A clock of which no slot has a result yet has no strip: reports for a quarter of an hour after midnight.
    strips = {clock: found for clock, found in said.items() if found}
    assert strips in (counted, results_of_24_hours(ledger))  # the hour may end meanwhile
    assert "Last 24 hours" not in httpx.get(f"{url}/jobs?q=index").text, "it would be of jobs that are not shown"


def test_a_whole_clock_can_be_paused_where_its_jobs_are(url: str) -> None:
    html = httpx.get(f"{url}/jobs/algolia").text
    assert "No run of algolia starts from now on, on any host" in text(html)


def test_now_says_what_to_do_step_by_step_and_not_only_the_commands(url: str) -> None:
    html = httpx.get(url).text
    card = next(card for card in html.split("<article ")[1:] if "export_invoices" in card)
    steps = [text(step) for step in re.findall(r'<span class="step">(.*?)</span>', card)]
    assert [re.sub(r"[0-9a-f]{8}$", "RUN", step) for step in steps] == [
        "clocks show RUN",
        "Call the task's owner",
        'Until then clocks pause billing/export_invoices --reason "see the incident"',
    ]


def test_an_open_incident_says_who_was_told_and_what_was_not_sent(url: str) -> None:
    html = httpx.get(f"{url}/incidents").text
    failing, silent = (
        next(text(card) for card in html.split("<article ")[1:] if name in card.partition("</h2>")[0])
        for name in ("export_invoices", "app3")
    )
    assert re.search(r"3 slots in a row ops was told [^.]+ ago \.", failing)
    assert re.search(
        r"Nobody was told yet; a notice that was due [^.]+ is not sent: no route to mail\.example\.", silent
    )
