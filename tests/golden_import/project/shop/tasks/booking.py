"""Bookings."""


def cancel_expired_bookings(app):
    """Cancel bookings that nobody has confirmed."""


def count():
    """Count everything."""


def remind(app, channel, *, days=1):
    """Remind of tomorrow's bookings."""
