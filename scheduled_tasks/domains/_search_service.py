"""The search service: Algolia's batch request, which changes many records of an index at once or none.

The official client is not used: it brings aiohttp, requests and pydantic for the single request needed here, and has
its own retry rules. With httpx, both services of the example are called and retried in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scheduled_tasks import setting
from scheduled_tasks.domains._service import Service, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Algolia's statuses for faulty input: a malformed record, a record that is too large, a batch that is too large.
REFUSED = frozenset({400, 413, 422})


@dataclass(frozen=True)
class Change:
    """A change of an offer in the index: its new record, or None to delete it."""

    offer_id: int
    record: dict[str, Any] | None

    @property
    def request(self) -> dict[str, Any]:
        """The change in the format of the batch request."""
        object_id = str(self.offer_id)
        if self.record is None:
            return {"action": "deleteObject", "body": {"objectID": object_id}}
        return {"action": "updateObject", "body": {"objectID": object_id, **self.record}}


class SearchIndex(Service):
    """The index named by the settings; must be closed. Raises as `Service`, or if a setting is missing."""

    def __init__(self) -> None:
        application = setting("algolia_app_id")
        super().__init__(
            "Algolia",
            setting("algolia_url", f"https://{application}.algolia.net"),
            headers={"X-Algolia-Application-Id": application, "X-Algolia-API-Key": setting("algolia_api_key")},
        )
        self._path = f"/1/indexes/{quote(setting('algolia_index', 'offers'), safe='')}/batch"

    def send(self, changes: Sequence[Change]) -> dict[int, ServiceError]:
        """Send changes and return the refused offers with the reason; the service accepted all others.

        If the service refuses a batch, halve it, so that only the faulty changes are refused. Raises ServiceError if it
        accepts nothing now. It may have accepted a part: send everything again.
        """
        try:
            self._send(changes)
        except ServiceError as error:
            if error.status not in REFUSED:
                raise
            if len(changes) == 1:
                return {changes[0].offer_id: error}
            middle = len(changes) // 2
            return self.send(changes[:middle]) | self.send(changes[middle:])
        return {}

    def _send(self, changes: Sequence[Change]) -> None:
        answer = self.post(self._path, {"requests": [change.request for change in changes]})
        accepted = answer.get("objectIDs") if isinstance(answer, dict) else None
        if accepted != [str(change.offer_id) for change in changes]:
            raise ServiceError(f"{self.name}: POST {self._path}: the answer doesn't list the objectIDs that were sent")
