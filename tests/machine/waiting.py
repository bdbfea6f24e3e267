"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 240.0  # seconds; most conditions are true within one, and on a busy machine many times later


def wait_for(what: str, condition: Callable[[], T], *, seconds: float = PATIENCE, longest_pause: float = 0.5) -> T:
    """Call a condition until it is true, and return its answer.

    The longer it has waited, the less often it asks, up to a pause of `longest_pause` seconds: a question costs a
    process in a machine, and five tests wait at once.

    Raises:
        AssertionError: it stayed false for so many seconds; names `what`, and the last answer.
    """
    began = time.monotonic()
    while not (answer := condition()):
        waited = time.monotonic() - began
        assert waited < seconds, f"waited {seconds:.0f} s for {what}, the last answer is {answer!r}"
        time.sleep(min(0.1 + waited / 20, longest_pause))
    return answer
