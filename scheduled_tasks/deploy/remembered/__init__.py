"""What an apply remembers until the next boot, so that the next one does only what is new."""
