"""The worked example's tables, as numbered SQL files that `clocks migrate` applies."""
