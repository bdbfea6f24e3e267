"""Read a table of the configuration that is for the sender: valid values come out, and every fault with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.faults import Fault, what_to_write
from scheduled_tasks.options import shown_value
from scheduled_tasks.options.alert_faults import NOTIFY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduled_tasks.alert.route_keys import Key


class TableReader:
    """Read tables and collect their faults.

    Args:
        credentials: the names of the sender's credentials.
    """

    def __init__(self, credentials: tuple[str, ...]) -> None:
        self._credentials = credentials
        self.faults: list[Fault] = []

    def endpoint(self, values: dict[str, Any], start: str, place: str) -> Endpoint:
        """The URL or the credential that two keys of a table name, each with this start."""
        endpoint = Endpoint(values.get(f"{start}url", ""), values.get(f"{start}credential", ""))
        if endpoint.url and endpoint.credential:
            self.fault(f"{place}.{start}url", endpoint.url, f"is given beside {start}credential", "leave one out")
        return endpoint

    def values(self, table: object, keys: Mapping[str, Key], place: str) -> dict[str, Any]:
        """The valid values of a table."""
        if not isinstance(table, dict):
            self.fault(place, table, "is not a table", f"write [{place}] and below it name = value")
            return {}
        values = {}
        for key, value in table.items():
            if key not in keys:
                self.fault(f"{place}.{key}", value, "is unknown", what_to_write(key, keys, "the keys"))
                continue
            try:
                values[key] = keys[key].validate(value)
            except ValueError as error:
                self.fault(f"{place}.{key}", value, str(error), f"it is {keys[key].meaning}")
                continue
            if key.endswith("credential") and value not in self._credentials:
                instead = f'add "{NOTIFY}.{value}" to credentials, and write the file credentials/{NOTIFY}.{value}'
                self.fault(f"{place}.{key}", value, "is not a credential of the sender of notices", instead)
        return values

    def fault(self, field: str, value: object, problem: str, instead: str) -> None:
        """Add a fault."""
        field = field if field.isprintable() else repr(field)  # a quoted key of TOML can have any character
        self.faults.append(Fault(problem, instead, field, "" if value is None else shown_value(value)))
