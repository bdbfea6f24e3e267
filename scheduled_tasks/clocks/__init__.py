"""The worked example's clock files: each module is a clock, and becomes one systemd slice."""
