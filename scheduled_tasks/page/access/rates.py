"""Bound how much one actor can do: buckets that fill again, one for each name."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_NAMES = 10_000


@dataclass
class Rate:
    """So many at once, and so many a second after that.

    Attributes:
        burst: how many at once.
        per_second: how fast they come back.
    """

    burst: float
    per_second: float
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait(self, name: str, now: float) -> float:
        """Count one of a name; return 0, or how many seconds are to be waited if it has none left.

        Args:
            name: whose.
            now: in seconds of the monotonic clock.
        """
        left, since = self._left.get(name, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.per_second)
        if left < 1:
            self._left[name] = (left, now)
            return (1 - left) / self.per_second
        if len(self._left) >= MAX_NAMES:
            self._forget(now)
        self._left[name] = (left - 1, now)
        return 0

    def _forget(self, now: float) -> None:
        """Forget whose bucket is full again; if nobody's is, everybody."""
        full = [
            name for name, (left, since) in self._left.items() if left + (now - since) * self.per_second >= self.burst
        ]
        for name in full or list(self._left):
            del self._left[name]
