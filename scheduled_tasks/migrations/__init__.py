"""The project's own tables, as numbered SQL files; each is safe while the previous release still runs."""
