"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 240.0  # seconds; most conditions are true within one, and on a busy machine many times later


def wait_for(what: str, condition: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """Call a condition until it is true, and return its answer.

    Raises:
        AssertionError: it stayed false for so many seconds; names `what`, and the last answer.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}, the last answer is {answer!r}"
        time.sleep(0.1)
    return answer
