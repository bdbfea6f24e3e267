"""Tasks of a module that sets Sentry up, without the exit handler that would send what is left."""

from __future__ import annotations

import sentry_sdk

sentry_sdk.init(auto_enabling_integrations=False)  # SENTRY_DSN is in the environment


def says() -> None:
    """Sends a message."""
    sentry_sdk.capture_message("half of it is done")


def fails() -> None:
    """Raises."""
    raise ValueError("no luck today")


def reports() -> None:
    """Reports its own error, and raises it."""
    try:
        fails()
    except ValueError as error:
        sentry_sdk.capture_exception(error)
        raise


def breaks_it() -> None:
    """Leaves an SDK that raises whatever is asked of it."""
    sentry_sdk.capture_exception = sentry_sdk.flush = None  # type: ignore[assignment]
    fails()
