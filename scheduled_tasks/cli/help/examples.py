"""The examples below each command's --help; tests/unit/cli/test_examples.py parses every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

# By command; each line is a command line, and can end with a comment. At most 76 characters, so that 80 columns do.
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "status": (
        "clocks status --bad",
        "clocks status booking",
        "clocks status --json | jq .healthy",
        "clocks status --check --owner data",
    ),
    "incidents": ("clocks incidents --open", "clocks incidents booking --json | jq '.[].reason'"),
    "history": (
        "clocks history booking/cancel_expired_bookings --since 7d",
        "clocks history --status failed --since 1d",
        "clocks history booking --before 3f2a8c91  # the next page, after that RUN",
    ),
    "show": ("clocks show 3f2a8c91  # the first characters of a RUN in `clocks history`",),
    "logs": (
        "clocks logs booking/cancel_expired_bookings --since 2h",
        "clocks logs -f  # all jobs, as their lines come",
        "clocks logs booking | jq .message",
    ),
    "list": ("clocks list", "clocks list --json | jq '.[].timer'"),
    "next": ("clocks next", "clocks next booking --from 2027-03-28 --until 2027-03-29T00:00Z"),
    "doctor": ("clocks doctor",),
    "page": ("clocks page", "clocks page --demo  # sample data, in a checkout", "clocks page --once /tmp/page"),
    "tokens list": ("clocks tokens list",),
    "tokens create": ("clocks tokens create ci --group ops --until 30d --reason 'it deploys'",),
    "tokens revoke": ("clocks tokens revoke ci",),
    "pause": (
        "clocks pause booking --reason 'stock is being recounted' --until 2h",
        "clocks pause --all --here --reason 'a disk is changed'",
    ),
    "resume": ("clocks resume booking", "clocks resume --all --here"),
    "ack": ("clocks ack 17 --reason 'the bank has been called'",),
    "snooze": ("clocks snooze 17 --until 'tomorrow 08:00' --reason 'the office opens at 8'",),
    "features list": ("clocks features list",),
    "features enable": ("clocks features enable INDEX_OFFERS --reason 'the index is back'",),
    "features disable": ("clocks features disable INDEX_OFFERS --reason overload --until 2h",),
    "features log": ("clocks features log INDEX_OFFERS --limit 5",),
    "features sync": ("clocks features sync --check",),
    "run": (
        "clocks run booking/cancel_expired_bookings --wait",
        "clocks run booking/cancel_expired_bookings --at 2026-11-24T01:00Z",
        "clocks run booking/cancel_expired_bookings --host app2 --reason 'bank is up'",
    ),
    "requests": ("clocks requests", "clocks requests booking --json | jq '.[].state'"),
    "stop": ("clocks stop 3f2a8c91 --reason 'it loops'  # a RUN of `clocks history`",),
    "backfill": (
        "clocks backfill booking/cancel_expired_bookings --from 7d --to 1d --dry-run",
        "clocks backfill booking/cancel_expired_bookings --from 7d --to 1d",
    ),
    "watch": ("clocks watch", "clocks watch --host prod/shop --jobs manifests --every 60"),
    "listen": ("clocks listen",),
    "reconcile": ("clocks reconcile",),
    "traces": ("clocks traces", "clocks traces --json | jq .waiting"),
    "monitors list": ("clocks monitors list",),
    "monitors sync": ("clocks monitors sync --check", "clocks monitors sync"),
    "forget-host": ("clocks forget-host app3",),
    "prune-runs": ("clocks prune-runs --keep 90",),
    "notify send": ("clocks notify send",),
    "notify test": ("clocks notify test ops", "clocks notify test  # all routes"),
    "metrics": ("clocks metrics", "clocks metrics | grep job_last_slot_bad"),
    "check": ("clocks check",),
    "plan": ("clocks plan --diff", "clocks plan --root /srv/image"),
    "apply": ("clocks apply", "clocks apply --user  # timers of your own, without root"),
    "sets": ("clocks sets",),
    "rollback": ("clocks rollback", "clocks rollback 4f1c9a2b7d3e  # a SET of `clocks sets`"),
    "remove": ("clocks remove --all",),
    "prune-releases": ("clocks prune-releases --keep 2 --check",),
    "migrate": ("clocks migrate --check", "clocks migrate"),
    "security": ("clocks security",),
    "render": ("clocks render units",),
    "install-help": ("clocks install-help ~/.local/share", "sudo clocks install-help /usr/local/share"),
    "init": ("clocks init --timezone Europe/Paris --dry-run",),
    "setup": ("clocks setup", "clocks setup --stop"),
    "demo": ("clocks demo --check",),
    "dev": ("clocks dev booking", "clocks dev --at 2027-03-28 --limit 1"),
    "explain": (
        "clocks explain --timezone Europe/Paris hour=2 minute=30",
        "clocks explain --timezone UTC --crontab '11 7 * * 4'",
    ),
    "lint": ("clocks lint --days 31",),
    "import apscheduler": (
        "clocks import apscheduler Procfile --timezone Europe/Paris",
        "clocks import apscheduler clock.py --into . --timezone Europe/Paris",
        "clocks import apscheduler clock.py --output new --execute",
    ),
    "import crontab": (
        "clocks import crontab /etc/crontab --timezone Europe/Paris",
        "crontab -l >mine; clocks import crontab mine --timezone Europe/Paris",
    ),
    "export kubernetes": ("clocks export kubernetes k8s --image registry/shop:1.4 --cluster prod",),
    "export helm": ("clocks export helm charts/shop --image registry/shop:1.4 --cluster prod",),
    "export prometheus": (
        "clocks export prometheus monitoring",
        "clocks export prometheus monitoring --fleet-label env",
    ),
    "export crontab": ("clocks export crontab --report REPORT.md >/etc/cron.d/shop",),
    "eject": ("clocks eject plain-units",),
}


def add_examples(command: click.Command, path: str) -> None:
    """Show a command's examples below its options."""
    if lines := EXAMPLES.get(path):
        # \b: click keeps these lines as they are.
        command.epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
