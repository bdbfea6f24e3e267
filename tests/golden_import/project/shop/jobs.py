"""Functions that stand outside the domains."""


def clean_up():
    """Clean up."""


def export(app, target="daily"):
    """Export what was sold."""


async def poll():
    """Ask the supplier."""
