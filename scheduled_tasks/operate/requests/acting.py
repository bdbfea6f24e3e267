"""Call the database's functions through which people act (migrations/0007).

They have the owner's rights and check their arguments, so that the page's role can act without a privilege on a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


def act(connection: Connection, function: str, *arguments: object) -> Any:
    """Call a function with arguments in its order; return what it returns."""
    places = ", ".join(["%s"] * len(arguments))
    [(returned,)] = connection.execute(f"SELECT {function}({places})", arguments).fetchall()
    return returned
