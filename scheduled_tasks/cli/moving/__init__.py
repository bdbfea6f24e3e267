"""Moving in and out: clocks import, and clocks export."""
