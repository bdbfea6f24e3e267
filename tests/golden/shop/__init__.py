"""A shop whose tasks the golden cases' clocks are about."""
