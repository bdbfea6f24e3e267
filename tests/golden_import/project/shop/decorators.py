"""The shop's own decorators, of the names that this project has too."""


def log_cron(function):
    return function


def cron_require_feature(_feature):
    return log_cron
