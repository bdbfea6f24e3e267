"""Numbered SQL."""
