"""The command that serves the page, or writes it to files."""
