"""What is fetched from suppliers."""


def synchronize_prices_and_stocks_of_every_supplier() -> None:
    """Fetch the prices and stocks of each supplier, and update what the shops sell. Suppliers answer slowly."""


def ping() -> None:
    """Ask each supplier's server whether it is there."""
