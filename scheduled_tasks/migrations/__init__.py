"""The tables of the project, as numbered SQL files; each is safe while the previous release still runs."""
