"""The script that a failed job starts: it first writes a failure note to disk, for which nothing else has to work.

systemd passes what it knows to the unit of OnFailure= (MONITOR_*, systemd.exec(5)); the script asks for the rest
while systemd still has it. operate/reconcile.py reads the notes, decision 0008 has the reasons.
"""

from __future__ import annotations

from scheduled_tasks.render.names import Places

FOLDER = Places().state / "failed"

# If several failures start it at once, systemd passes no MONITOR_*: then it only runs its arguments, the command that
# reports to the ledger.
FAILURE_SCRIPT = (
    f'if [ -n "$MONITOR_UNIT" ]; then mkdir -p {FOLDER}; note="{FOLDER}/$MONITOR_UNIT.$MONITOR_INVOCATION_ID"; '
    '{ echo "UNIT=$MONITOR_UNIT"; echo "INVOCATION_ID=$MONITOR_INVOCATION_ID"; '
    'echo "SERVICE_RESULT=$MONITOR_SERVICE_RESULT"; echo "EXIT_CODE=$MONITOR_EXIT_CODE"; '
    'echo "EXIT_STATUS=$MONITOR_EXIT_STATUS"; '
    "systemctl show --timestamp=unix --property=ExecMainStartTimestamp,ExecMainExitTimestamp,CPUUsageNSec,MemoryPeak "
    '"$MONITOR_UNIT" || true; '
    'TZ=UTC LC_ALL=C systemctl show --property=LastTriggerUSec "${MONITOR_UNIT%.service}.timer" || true; } '
    '>"$note.new"; sync "$note.new" || true; mv "$note.new" "$note.note"; fi; exec "$@"'
)
