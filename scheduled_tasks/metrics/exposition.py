"""Write samples in Prometheus' text format (version 0.0.4), which Prometheus and node_exporter's textfiles read. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from scheduled_tasks.metrics.families import FAMILIES, Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Sample(NamedTuple):
    """A value of a metric.

    Attributes:
        labels: the values of its family's labels, in their order; one that is empty is left out.
        value: a number, or an instant, which is written in seconds since 1970.
        suffix: of a histogram's series: `_bucket`, `_sum`, `_count`.
        le: of a bucket, its upper bound.
    """

    labels: tuple[str, ...]
    value: float | datetime
    suffix: str = ""
    le: str = ""


Samples = Mapping[Family, Sequence[Sample]]


def text(samples: Samples) -> str:
    """The samples of all families that have some, with their types and meanings."""
    return "".join(line for family in FAMILIES if samples.get(family) for line in _lines(family, samples[family]))


def _lines(family: Family, samples: Iterable[Sample]) -> Iterable[str]:
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    for sample in samples:
        labels = zip(family.labels, sample.labels, strict=True)
        pairs = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels if value]
        if sample.le:
            pairs.append(f'le="{sample.le}"')
        braces = f"{{{','.join(pairs)}}}" if pairs else ""
        yield f"{family.name}{sample.suffix}{braces} {number(sample.value)}\n"


def number(value: float | datetime) -> str:
    """A number as Prometheus reads it: without an exponent where a person may look, and no more digits than it has."""
    seconds = value.timestamp() if isinstance(value, datetime) else float(value)
    return str(int(seconds)) if seconds.is_integer() else f"{seconds:.6f}".rstrip("0").rstrip(".")


def histogram(
    labels: tuple[str, ...], counts: Mapping[float, int], bounds: Sequence[float], total: float
) -> list[Sample]:
    """The series of a histogram.

    Args:
        labels: of its family.
        counts: how many values were larger than a bound, and not larger than the next one; 0 for those up to the first.
        bounds: the upper bounds of its buckets, without infinity.
        total: the sum of all values.
    """
    samples, cumulated = [], 0
    for above, bound in zip((0.0, *bounds), (*bounds, None), strict=True):
        cumulated += counts.get(above, 0)
        samples.append(Sample(labels, cumulated, "_bucket", "+Inf" if bound is None else number(bound)))
    return [*samples, Sample(labels, total, "_sum"), Sample(labels, cumulated, "_count")]
