"""A ledger in which every text attacks whoever reads it, and what a document of the page must not have."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING

import psycopg
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from psycopg import sql

from scheduled_tasks.page import demo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Dialog, Page

    from scheduled_tasks.run.database import Connection

SEED = int(os.environ.get("SCHEDULED_TASKS_HOSTILE_SEED", "20"))
MARK = "☠"  # each text begins with it, so that a screen is seen to show one
LENGTH = 120  # characters of a name: each is a part of an index
# Ways out of a text, an attribute, a title, a script, a style or a comment, and what runs or asks another origin.
FRAGMENTS = (
    "<script>document.title = 'ran'</script>", "<script src=//evil.example/x.js></script>", "<b id=ran>", "</b>",
    "<img src=x onerror=\"document.title='ran'\">", "<img src=//evil.example/x.png>", "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script>", "<iframe srcdoc='<script>alert(1)</script>'>", "<iframe src=//evil.example>",
    "<base href=//evil.example>", "<meta http-equiv=refresh content='0;url=//evil.example'>", "<object data=x>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example/x.css'</style>", "<plaintext>",
    "<a href=javascript:alert(1)>x</a>", "javascript:alert(1)", "<form action=//evil.example><button>", "<template>",
    "<div hx-get=//evil.example hx-trigger=load>", "<div data-hx-on:load=alert(1)>", "<math><mtext></form><form>",
    '" autofocus onfocus="alert(1)', "' onmouseover='alert(1)", '" hx-get="/" hx-trigger="load', '"><b id=ran>',
    "</pre>", "</title>", "</textarea>", "</option></select>", "</script>", "</style>", "</svg>", "</details>", "-->",
    "<!--", "]]>", "&lt;script&gt;alert(1)&lt;/script&gt;", "%3Cscript%3Ealert(1)%3C/script%3E", "{{ 7 * 7 }}",
    "{% include 'x' %}", "${alert(1)}", "`<b id=ran>`", "\x1b[31m", "\x1b]0;title\x07", "\u202e", "\u2028", "\ufeff",
    "\r\n", "\n\n", "\\", "'", '"', "`", "`$(id)`", "; id", "#", "?", "&", "%00", "..", "=",
)  # fmt: skip
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
TEXTS = st.lists(
    st.lists(st.sampled_from(FRAGMENTS) | ANY, min_size=1, max_size=6).map("".join), min_size=40, max_size=40
)
# Names by which rows of several tables belong together; a job's is a part of its path, and so has no slash.
NAMES = {"clock", "job", "host", "slot_host", "run_host", "taken_by", "name"}
KEPT = {"kind", "what", "status", "trigger", "outcome", "jobs_digest"}  # words that the database chooses from
TABLES = ["feature", "feature_change", "task_run", "past_attempt", "deployed_job", "host", "pause", "incident",
          "request", "run_log", "slot_hour", "clock_hour"]  # fmt: skip
# What no document of the page may have: elements and attributes that its own templates don't write.
FOREIGN = r"""
(own) => {
  const ours = { script: /^\/static\/(htmx\.min|page)\.js\?[\w.]+$/, meta: /^(viewport|color-scheme|htmx-config|)$/,
    equivalent: /^(refresh: \d+$|Content-Security-Policy: script-src 'none'; )/ };
  const elements = ["base", "embed", "iframe", "image", "img", "math", "object", "plaintext", "style", "template"];
  const links = ["href", "src", "action", "formaction", "xlink:href"];
  return [...document.querySelectorAll("*")].filter((node) =>
    elements.includes(node.localName)
    || node.id === "ran"
    || (node.localName === "script" && !ours.script.test(node.getAttribute("src")))
    || (node.localName === "meta" && !node.httpEquiv && !ours.meta.test(node.name))
    || (node.httpEquiv && !ours.equivalent.test(`${node.httpEquiv}: ${node.content}`))
    || [...node.attributes].some(({ name, value }) =>
      /^on|^style$|^data-hx|^autofocus$/.test(name)
      || (name.startsWith("hx-") && !node.matches("form.filter, details.block"))
      || (links.includes(name) && !new RegExp(own).test(value)))
  ).map((node) => node.outerHTML.slice(0, 300));
}
"""


@cache
def texts() -> tuple[str, ...]:
    """Some hundred texts by hypothesis, the same for the same seed."""
    found: list[str] = []

    @seed(SEED)
    @settings(database=None, deadline=None, max_examples=30, phases=[Phase.generate])
    @given(TEXTS)
    def collect(some: list[str]) -> None:
        found.extend(f"{MARK}{text}" for text in some)

    collect()
    return tuple(dict.fromkeys(found))


def typed() -> list[str]:
    """Those that a person can type into a field, and which are more than words."""
    return [text for text in texts() if text.isprintable() and "<" in text]


def make(server_url: str, name: str) -> str:
    """Make the page's sample with hostile texts; return its URL."""
    ledger = demo.make(server_url, name)
    with psycopg.connect(ledger) as connection:
        connection.execute("SET session_replication_role = replica")  # no trigger judges, counts or refuses
        _act(connection)
        _rewrite(connection, list(texts()))
    return ledger


def _act(connection: Connection) -> None:
    """What the sample lacks: requests, an incident that somebody has seen, an attempt that was replaced."""
    connection.execute(
        "INSERT INTO request (kind, clock, job, host, reason, asked_by, asked_at, expires_at, taken_by, outcome, why,"
        " finished_at)"
        " SELECT kind, 'billing', 'export_invoices', 'app1', 'why', 'anna', now(), now() + interval '1 hour', 'app1',"
        " outcome, 'why not', CASE WHEN outcome IS NOT NULL THEN now() END"
        " FROM (VALUES ('run', 'refused'), ('log', 'failed'), ('run', NULL)) AS sample (kind, outcome)"
    )
    connection.execute("UPDATE incident SET acked_at = now(), acked_by = 'anna', ack_reason = 'why',"
                       " snoozed_until = now() + interval '1 hour', snoozed_by = 'anna', snooze_reason = 'why'"
                       " WHERE kind = 'missed'")  # fmt: skip
    connection.execute("INSERT INTO past_attempt SELECT now(), * FROM task_run WHERE status = 'failed'")
    connection.execute("UPDATE task_run SET attempt = 2 WHERE status = 'failed'")


def _columns(connection: Connection) -> Iterator[tuple[str, str]]:
    yield from connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_name = ANY (%s)"
        " AND table_schema = 'public' AND data_type = 'text' AND is_generated = 'NEVER' AND NOT column_name = ANY (%s)",
        [TABLES, list(KEPT)],
    ).fetchall()


def _rewrite(connection: Connection, hostile: list[str]) -> None:
    """Put a hostile text in place of each: the same for the same name, and one of each row's own for other texts."""
    columns = list(_columns(connection))
    names = {name for table, column in columns if column in NAMES
             for (name,) in connection.execute(sql.SQL("SELECT DISTINCT {} FROM {}").format(
                 sql.Identifier(column), sql.Identifier(table)))}  # fmt: skip
    connection.execute("CREATE TEMPORARY TABLE hostile (was text PRIMARY KEY, now text)")
    for number, name in enumerate(sorted(filter(None, names))):
        text = f"{hostile[number].replace('/', '|')[:LENGTH]}{number}"
        connection.execute("INSERT INTO hostile VALUES (%s, %s)", [name, text])
    for table, column in columns:
        where = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
        if column in NAMES:
            query = "UPDATE {table} SET {column} = (SELECT now FROM hostile WHERE was = {column}) WHERE {column} <> ''"
            connection.execute(sql.SQL(query).format(**where))
        else:
            query = "UPDATE {table} SET {column} = (%s::text[])[1 + abs(hashtext(ctid::text || %s)) %% %s]"
            values = [hostile, f"{table} {column}", len(hostile)]
            connection.execute(sql.SQL(query + " WHERE {column} IS NOT NULL").format(**where), values)
    connection.execute("UPDATE host SET problems = %s", [hostile[:3]])
    line = {"timestamp": "2026-11-30T02:00:00Z", "level": "error", "message": hostile[0], hostile[1]: hostile[2]}
    connection.execute("UPDATE run_log SET lines = %s", [json.dumps(line)])
    for number, (job,) in enumerate(connection.execute("SELECT DISTINCT job FROM deployed_job").fetchall()):
        owner = json.dumps({"owner": hostile[-1 - number % 5][:LENGTH], "flag": hostile[number]})
        connection.execute("UPDATE deployed_job SET options = options || %s::jsonb WHERE job = %s", [owner, job])


class Watched:
    """What a browser's page did that only a text that runs could have made it do."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page, self.origin = page, origin
        self.problems: list[str] = []
        page.on("dialog", self._dismiss)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        page.on("request", lambda request: self._asked(request.url))

    def _dismiss(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, url: str) -> None:
        if not url.startswith(self.origin):
            self.problems.append(f"request: {url}")

    def require_nothing_ran(self, own: str = "^(/(?![/\\\\])|[#?]|$)") -> None:
        """Fail if anything ran or was asked for, or if the document has what is not the page's own.

        Args:
            own: which links lead to the page itself.
        """
        assert self.page.evaluate(FOREIGN, own) == [], self.page.url
        assert self.page.title() != "ran"
        # Chromium logs each document that is not found or refused, some time after its response.
        own_words = ("404 (Not Found)", "409 (Conflict)")
        problems = [problem for problem in self.problems if not any(words in problem for words in own_words)]
        assert problems == [], self.page.url
