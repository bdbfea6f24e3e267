"""The domains: stock and mail."""
