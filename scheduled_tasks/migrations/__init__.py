"""The tables of the ledger and the feature flags, as numbered SQL files; each is safe while the previous release runs."""
