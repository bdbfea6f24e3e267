"""What the sender of notices needs for all that it sends: addresses, credentials, a database.

It sends notices and pings (`[notify]`), and exports traces (`[traces]`): its unit is the one through which anything
leaves a host (decision 0029).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.alert import routes
from scheduled_tasks.metrics.traces import trace_settings
from scheduled_tasks.options.alert_faults import NOTIFY

if TYPE_CHECKING:
    from collections.abc import Collection

    from scheduled_tasks.run.settings import Settings

# The sender's own database credential; without tasks_role all connect with one role, by `database_url`.
SENDERS_DATABASE_URL = f"{NOTIFY}.database_url"


def sender_network(settings: Settings) -> tuple[str, ...] | None:
    """All addresses that the sender must reach; ("any",) if one is only known by its name, None without a sender.

    Raises:
        ConfigurationError: `[notify]` or `[traces]` has faults.
    """
    notify, traces = routes.notify_settings(settings), trace_settings.trace_settings(settings)
    if not (notify.needs_sender or traces):
        return None
    addresses = tuple(dict.fromkeys((*notify.sender_network, *traces.network)))
    return ("any",) if "any" in addresses else addresses


def missing_credentials(settings: Settings) -> list[str]:
    """Why the sender would lack a URL or a key on this host, as far as this user can read its credentials.

    Raises:
        ConfigurationError: `[notify]` or `[traces]` has faults.
    """
    return [*routes.missing_credentials(settings), *trace_settings.missing_credentials(settings)]


def why_no_database(settings: Settings, named: Collection[str]) -> str:
    """Why the sender of notices would have no database, and what to write; "" if it has one or isn't needed.

    Args:
        settings: the configuration.
        named: the settings and credentials that it names. The role of `database_url` can't read notices if it is the
            jobs' own.
    """
    if not settings.get("tasks_role") or SENDERS_DATABASE_URL in named or sender_network(settings) is None:
        return ""
    table = NOTIFY if routes.notify_settings(settings).needs_sender else trace_settings.TRACES
    return (
        f"{settings.path}: [{table}]: the sender of notices has no database, because tasks_role is set, so that "
        f'database_url is for the jobs only: add "{SENDERS_DATABASE_URL}" to credentials, with a URL of the role that '
        "notifier_role names"
    )
