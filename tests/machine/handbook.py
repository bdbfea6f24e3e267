"""The handbook's commands, as a person types them: with names in place of the placeholders, and an editor."""

from __future__ import annotations

import re

EDITOR = "/usr/local/bin/editor"
# What an operator writes into the editor that `systemctl edit` opens.
EDITOR_SCRIPT = "#!/bin/sh\nprintf '[Service]\\nMemoryMax=1G\\n' >\"$1\"\n"


def placed(command: str, clock: str, job: str, **names: str) -> str:
    """A command with its placeholders, which are in capitals, replaced."""
    known = {"UNIT": f"clock-{clock}-{job}.service", "CLOCK": clock, "JOB": job, **names}
    return re.sub(rf"\b({'|'.join(known)})\b", lambda match: known[match[0]], command)


def typed(command: str) -> str:
    """A command for a shell; one that opens an editor gets a terminal and an editor."""
    return f"SYSTEMD_EDITOR={EDITOR} script -qec '{command}' /dev/null" if "systemctl edit" in command else command
