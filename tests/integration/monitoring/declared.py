"""The metrics that the services declare, and those that rules ask for."""

import re
from types import ModuleType
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from services.gateway import metrics as gateway
from services.registry import metrics as registry
from services.worker import metrics as worker

MODULES: Final[tuple[ModuleType, ...]] = (gateway, worker, registry)

_ASKED_FOR: Final = re.compile(r"(?<![\w:])(?P<name>corral_\w+)(?!\w*:)(?:\{(?P<labels>[^}]*)\})?")
_GROUP: Final = re.compile(r"- name: corral_\w+")
_LABEL: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")


def metrics() -> list[MetricWrapperBase]:
    found = [value for module in MODULES for value in vars(module).values() if isinstance(value, MetricWrapperBase)]
    assert all(isinstance(metric, Counter | Gauge | Histogram) for metric in found)
    return found


def family(metric: MetricWrapperBase) -> str:
    """The name people use: a counter's ends in `_total`."""
    (described,) = metric.describe()
    return described.name + ("_total" if isinstance(metric, Counter) else "")


def series() -> dict[str, frozenset[str]]:
    """The labels of every series that the services show, by the series' name."""
    known: dict[str, frozenset[str]] = {}
    for metric in metrics():
        labels, name = frozenset(metric._labelnames), family(metric)
        if isinstance(metric, Histogram):
            known |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            known[name] = labels
    return known


def asked_for(text: str) -> list[tuple[str, frozenset[str]]]:
    """Our own series named in rules or their tests, and the labels they are chosen by."""
    return [
        (found["name"], frozenset(_LABEL.findall(found["labels"] or "")))
        for found in _ASKED_FOR.finditer(_GROUP.sub("", text))
    ]
