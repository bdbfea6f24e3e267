"""The scripts that failed units start: a job's first writes a failure note to disk, for which nothing else has to work.

systemd passes what it knows to the unit of OnFailure= (MONITOR_*, systemd.exec(5)); the script asks for the rest
while systemd still has it. operate/reconcile.py reads the notes, decision 0008 has the reasons.
"""

from __future__ import annotations

from scheduled_tasks.render.names import Places

FOLDER = Places().state / "failed"

# What the watch's failure starts. The journal reads the priority from <1>: alert.
ALERT_SCRIPT = (
    'echo "<1>$MONITOR_UNIT failed ($MONITOR_SERVICE_RESULT, $MONITOR_EXIT_STATUS): until it succeeds, nothing '
    'accounts for the slots of this host. See: clocks doctor; journalctl --unit=$MONITOR_UNIT"; '
    f"touch {Places().watch_failed}"
)

# If several failures start it at once, systemd passes no MONITOR_*: then it only runs its arguments, the command that
# reports to the ledger. So it does if the service has been started again meanwhile, by a retry for example: MONITOR_*
# then tells of that start, whose result is `success` so far (systemd 257, on a slow machine).
FAILURE_SCRIPT = (
    'if [ -n "$MONITOR_UNIT" ] && [ "$MONITOR_SERVICE_RESULT" != success ]; then '
    f'mkdir -p {FOLDER}; note="{FOLDER}/$MONITOR_UNIT.$MONITOR_INVOCATION_ID"; '
    '{ echo "UNIT=$MONITOR_UNIT"; echo "INVOCATION_ID=$MONITOR_INVOCATION_ID"; '
    'echo "SERVICE_RESULT=$MONITOR_SERVICE_RESULT"; echo "EXIT_CODE=$MONITOR_EXIT_CODE"; '
    'echo "EXIT_STATUS=$MONITOR_EXIT_STATUS"; '
    "systemctl show --timestamp=unix --property=ExecMainStartTimestamp,ExecMainExitTimestamp,CPUUsageNSec,MemoryPeak "
    '"$MONITOR_UNIT" || true; '
    'TZ=UTC LC_ALL=C systemctl show --property=LastTriggerUSec "${MONITOR_UNIT%.service}.timer" || true; } '
    '>"$note.new"; sync "$note.new" || true; mv "$note.new" "$note.note"; fi; exec "$@"'
)
