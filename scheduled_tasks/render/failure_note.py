"""What a job's failure starts: a note of it on disk first, in a few words of sh, so that nothing else has to work.

systemd tells the note's facts to what OnFailure= starts (MONITOR_*, systemd.exec(5)); the rest it is asked for while it
still knows. operate/reconcile.py reads the notes, decision 0008 has the reasons.
"""

from __future__ import annotations

from scheduled_tasks.render.names import Places

FOLDER = Places().state / "failed"

# Of several failures that start it once, systemd passes none of MONITOR_*: then there is only the telling to do.
NOTE = (
    'if [ -n "$MONITOR_UNIT" ]; then mkdir -p {folder}; note="{folder}/$MONITOR_UNIT.$MONITOR_INVOCATION_ID"; '
    '{{ echo "UNIT=$MONITOR_UNIT"; echo "INVOCATION_ID=$MONITOR_INVOCATION_ID"; '
    'echo "SERVICE_RESULT=$MONITOR_SERVICE_RESULT"; echo "EXIT_CODE=$MONITOR_EXIT_CODE"; '
    'echo "EXIT_STATUS=$MONITOR_EXIT_STATUS"; '
    "systemctl show --timestamp=unix --property=ExecMainStartTimestamp,ExecMainExitTimestamp,CPUUsageNSec,MemoryPeak "
    '"$MONITOR_UNIT" || true; '
    'TZ=UTC LC_ALL=C systemctl show --property=LastTriggerUSec "${{MONITOR_UNIT%.service}}.timer" || true; }} '
    '>"$note.new"; sync "$note.new" || true; mv "$note.new" "$note.note"; fi; exec "$@"'
)


def note_script() -> str:
    """The script; its arguments are the command that tells the ledger."""
    return NOTE.format(folder=FOLDER)
