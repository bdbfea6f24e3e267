"""What a scraper reads: the series of a text, by prometheus-client's own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.operate.shop import clocks

PREFIX = "scheduled_tasks_"
Labels = frozenset[tuple[str, str]]


class Scrape:
    """The values of a text in Prometheus' format."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, /, **labels: str) -> float | None:
        """The value of one series; None if there is none."""
        return self.series.get((PREFIX + name, frozenset(labels.items())))

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """The series of a metric, by the values of their labels, sorted by the labels' names."""
        return {
            tuple(value for _, value in sorted(labels)): number
            for (known, labels), number in self.series.items()
            if known == PREFIX + name
        }


def scrape() -> Scrape:
    """What `clocks metrics` prints."""
    return Scrape(clocks("metrics").stdout)
