"""The jobs' sandboxes, and their trial before a set becomes current."""
