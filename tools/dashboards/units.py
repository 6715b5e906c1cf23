"""Numbers as Grafana writes them, for the pictures: the units that the dashboards use."""

from typing import Final

_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti")
_SUFFIX: Final = "suffix:"


def shown(value: float, unit: str) -> str:
    """The number with its unit, short enough for an axis."""
    if unit.startswith(_SUFFIX):
        return f"{_plain(value)} {unit.removeprefix(_SUFFIX).strip()}"
    match unit:
        case "percentunit":
            return f"{_plain(value * 100)}%"
        case "s":
            return _duration(value)
        case "bytes" | "Bps":
            return _bytes(value) + ("/s" if unit == "Bps" else "")
        case "reqps":
            return f"{_plain(value)} req/s"
        case "cps":
            return f"{_plain(value)} c/s"
    return _plain(value)


def _plain(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    if abs(seconds) < 1:
        return f"{_plain(seconds * 1000)} ms"
    return f"{_plain(seconds)} s" if abs(seconds) < 120 else f"{_plain(seconds / 60)} min"


def _bytes(value: float) -> str:
    power = 0
    while abs(value) >= 1024 and power < len(_BINARY) - 1:
        value /= 1024
        power += 1
    return f"{_plain(value)} {_BINARY[power]}B"
