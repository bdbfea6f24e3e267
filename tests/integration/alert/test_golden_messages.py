"""Each case is a folder of tests/golden_messages/: rows of the ledger, a delivery, and the whole message that it gives.

`ledger.sql` adds to the common one, incidents included; `delivery.toml` has `what`, and `page_url` if there is one. The
delivery is about all incidents of the ledger. `--write-golden` writes `message.txt`, `message.html` and `message.json`.
"""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import jsonschema
import pytest

from scheduled_tasks.alert import delivery as deliveries
from scheduled_tasks.alert.incident_rows import INCIDENT, as_incident
from scheduled_tasks.alert.incidents import Delivery, Kind, Notice, What
from scheduled_tasks.alert.message.compose import compose
from scheduled_tasks.alert.routes import NotifySettings
from tests.documented import blocks

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from tests.integration.operate.shop import Database

SCHEMA = json.loads(Path(deliveries.__file__).with_name("webhook.schema.json").read_text(encoding="utf-8"))
MESSAGES = Path(__file__).parents[2] / "golden_messages"
CASES = sorted(path.parent.name for path in MESSAGES.glob("*/delivery.toml"))
NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
ID = UUID("90000000-0000-4000-8000-000000000000")
# Elements that have no end.
VOID = {"meta", "br"}


def message(case: str, connection: Database) -> Message:
    for path in (MESSAGES / "ledger.sql", MESSAGES / case / "ledger.sql"):
        connection.execute(path.read_text(encoding="utf-8"))
    delivery = tomllib.loads((MESSAGES / case / "delivery.toml").read_text(encoding="utf-8"))
    what = What(delivery.pop("what"))
    about = tuple(map(as_incident, connection.execute(f"SELECT {INCIDENT} FROM incident ORDER BY id")))
    notices = tuple(Notice(ID, incident.id, what, NOW, NOW) for incident in about)
    return compose(connection, Delivery(ID, what, about, notices, ("ops",)), NotifySettings(**delivery), NOW)


class Nesting(HTMLParser):
    """Checks that each element ends in the one in which it begins."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("case", CASES)
def test_a_message_is_as_it_was_kept(case: str, connection: Database, request: pytest.FixtureRequest) -> None:
    made = message(case, connection)
    data = json.dumps({key: value for key, value in made.data.items() if key != "text"}, indent=2, ensure_ascii=False)
    written = {"message.txt": made.text, "message.html": made.html, "message.json": data}
    for name, text in written.items():
        kept = MESSAGES / case / name
        if request.config.getoption("--write-golden"):
            kept.write_text(f"{text.rstrip()}\n", encoding="utf-8")
        assert f"{text.rstrip()}\n" == kept.read_text(encoding="utf-8")
    jsonschema.validate(made.data, SCHEMA)
    assert made.text.startswith(f"{made.subject}\n")
    assert "\n" not in made.subject
    page = Nesting()
    page.feed(made.html)
    page.close()
    assert page.open == []
    assert not page.tags & {"script", "b"}
    assert "sw0rdfish" not in made.text + made.html + json.dumps(made.data)


def test_the_guide_shows_a_message_as_it_is() -> None:
    [shown] = [block.text for block in blocks("how-to/be-told.md") if block.language == "text"]
    assert shown == (MESSAGES / "failed/message.txt").read_text(encoding="utf-8")


def test_each_kind_of_incident_and_each_kind_of_message_has_a_case(connection: Database) -> None:
    kinds, whats = set(), set()
    for case in CASES:
        kinds |= {kind for kind in Kind if f"('{kind}'" in (MESSAGES / case / "ledger.sql").read_text(encoding="utf-8")}
        whats.add(tomllib.loads((MESSAGES / case / "delivery.toml").read_text(encoding="utf-8"))["what"])
    assert (kinds, whats) == (set(Kind), set(What))
