"""A sender that is killed (SIGKILL) loses no message, and repeats at most the one that it had in hand, with its id."""

from __future__ import annotations

import random
import signal
import string
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.alert.simulation import Simulation

MESSAGES, KILLS = 26, 8
# Sends all that is due: a line with the id is written to a file, as a mail server would have it.
SENDER = """
import sys
from datetime import datetime
from scheduled_tasks.alert import outbox
from scheduled_tasks.run.database import connect

url, now, path = sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3]
with connect(url, name="sender") as connection, open(path, "ab", buffering=0) as inbox:
    while deliveries := outbox.take(connection, now, default=["ops"]):
        for delivery in deliveries:
            inbox.write(f"{delivery.id}\\n".encode())
            print("sent", flush=True)
            outbox.sent(connection, delivery, now)
"""


def test_every_message_arrives_and_a_kill_repeats_at_most_one(ledger: Simulation, tmp_path: Path) -> None:
    for letter in string.ascii_lowercase[:MESSAGES]:
        ledger.deploy(f"sell_{letter}")
        ledger.result(f"sell_{letter}", "failed", error_type=letter * 3)
    inbox, chance = tmp_path / "inbox", random.Random(18)
    for number in range(KILLS + 1):
        now = ledger.wait(timedelta(minutes=3))  # what the one before has taken is free again
        command = [sys.executable, "-c", SENDER, ledger.url, now.isoformat(), str(inbox)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as sender:
            assert sender.stdout
            for _ in range(chance.randint(1, 3) if number < KILLS else MESSAGES + 1):
                sender.stdout.readline()
            if number < KILLS:
                sender.send_signal(signal.SIGKILL)
            sender.wait()
    sent = ledger.owner.execute("SELECT id::text FROM notice WHERE what = 'opened' AND sent_at IS NOT NULL").fetchall()
    arrived = Counter(inbox.read_text().splitlines())
    assert set(arrived) == {notice for (notice,) in sent}
    assert len(arrived) == MESSAGES
    assert arrived.total() <= MESSAGES + KILLS
