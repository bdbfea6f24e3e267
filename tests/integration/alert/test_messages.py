"""A message is composed from what the triggers wrote, by the sender's role, from the outbox's delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.message.compose import compose
from scheduled_tasks.alert.routes import NotifySettings
from tests.integration.alert.simulation import MINUTE
from tests.integration.operate.roles import NOTIFIERS, as_role, granted

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from tests.integration.alert.simulation import Database, Simulation


def sent(ledger: Simulation, sender: Database) -> list[Message]:
    """Compose what is due, and record it as sent."""
    ledger.wait(timedelta(seconds=11))
    messages = []
    for delivery in outbox.take(sender, ledger.now, 10, default=["ops"]):
        messages.append(compose(sender, delivery, NotifySettings(), ledger.now))
        outbox.sent(sender, delivery, ledger.now)
    return messages


def test_a_failure_and_its_end_are_told_with_all_that_the_senders_role_can_read(ledger: Simulation) -> None:
    ledger.result("sell", "ended", release="1.0")
    ledger.wait(MINUTE)
    failed = ledger.result(
        "sell", "failed", release="1.1", error_type="OSError", error_message="full", exit_code=1, invocation_id=uuid4()
    )
    ledger.owner.execute('UPDATE run_log SET captured_at = now(), lines = \'{"message": "no space"}\'')
    with granted(ledger.owner), as_role(ledger.owner, NOTIFIERS) as sender:
        [opened] = sent(ledger, sender)
        assert (opened.subject, opened.severity) == ("shop/sell failed", "critical")
        assert "reason     OSError: full" in opened.text
        assert "- release: 1.0 → 1.1" in opened.text
        assert f"Do next: `clocks show {str(failed)[:8]}`" in opened.text
        assert "no space" in opened.text
        ledger.wait(MINUTE)
        ledger.result("sell", "missed")
        ledger.wait(MINUTE)
        ledger.result("sell", "ended", release="1.1")
        [closed] = sent(ledger, sender)
        assert closed.subject == "shop/sell works again, after 2 min 11 s, 1 slot failed, 1 slot missed"
        assert (closed.severity, "Do next" in closed.text) == ("ok", False)
