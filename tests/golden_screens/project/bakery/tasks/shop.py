"""What the shops need."""


def count() -> None:
    """Count the tills."""


def heat_ovens() -> None:
    """Heat the ovens of each shop, an hour before it opens."""


def send_newsletter() -> None:
    """Send the newsletter."""
