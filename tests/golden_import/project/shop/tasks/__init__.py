"""The shop's domains."""
