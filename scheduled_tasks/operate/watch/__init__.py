"""The watch on its host: one pass, and whether it works."""
