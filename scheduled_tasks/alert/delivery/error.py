"""Why a message was not accepted, and whether it is of use to try the same route again."""

from __future__ import annotations

import errno
import signal
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.masking import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKED = (
    "the sandbox of the sender blocks the address: add it to allow_network of the route, or of [notify], and apply"
)
# A packet of TCP that the filter drops is one without an answer.
SILENT = f"the server is down, or {BLOCKED}"
DELIVERY_TIMEOUT = 30.0  # seconds for all of one delivery: a server that sends a byte now and then is no receiver


class DeliveryError(ScheduledTasksError):
    """A message was not accepted.

    Attributes:
        is_permanent: whether the same route would refuse it again, so that the next one is to be tried at once.
        status: of the answer, if there was one of HTTP; otherwise 0.
    """

    exit_code = 75

    def __init__(self, message: str, *, is_permanent: bool = False, status: int = 0) -> None:
        super().__init__(message)
        self.is_permanent = is_permanent
        self.status = status


def reason_of(error: OSError) -> str:
    """Why the network failed, in one line; the kernel's EPERM is what IPAddressDeny= of the sender's unit answers."""
    if error.errno == errno.EPERM and not isinstance(error, ssl.SSLError):  # OpenSSL has numbers of its own
        return BLOCKED
    if isinstance(error, TimeoutError):
        return f"no answer: {SILENT}"
    return one_line(error) or type(error).__name__


def one_line(said: object) -> str:
    """What a server or an error says, in one line and without secrets."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return mask(" ".join(text.split()))


@contextmanager
def time_limit(seconds: float = DELIVERY_TIMEOUT) -> Iterator[None]:
    """Give up after a time: the time-outs of sockets are for each packet, not for all of them.

    Raises:
        DeliveryError: the time is over.
    """
    if threading.current_thread() is not threading.main_thread():  # signals arrive there only
        yield
        return

    def give_up(_signum: int, _frame: object) -> NoReturn:
        raise DeliveryError(f"no answer within {seconds:g} s: {SILENT}")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
