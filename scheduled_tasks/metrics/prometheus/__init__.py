"""What Prometheus needs: alerting rules for all jobs, and their unit tests for promtool, made from the schedules.

Clocks go in; the texts of rules.yml and tests.yml come out. Pure.
"""
