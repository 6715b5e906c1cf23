"""Sizes, times and tables as people read them; the same words that Ollama's command line uses. Pure."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

COLUMN_GAP: Final = 4
FOREVER: Final = timedelta(days=20 * 365)
_UNITS: Final = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def human_bytes(size_bytes: int) -> str:
    """Decimal units; one decimal below ten unless it is a whole number."""
    for factor, unit in _UNITS:
        if size_bytes >= factor:
            value = size_bytes / factor
            return f"{value:.1f} {unit}" if value < 10 and value != math.trunc(value) else f"{math.trunc(value)} {unit}"
    return f"{size_bytes} B"


def human_count(count: int) -> str:
    """A number of parameters: 8B, 3.2B, 137M, 22.57M, 12K; empty for none."""
    for factor, unit, decimals in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if count >= factor:
            return f"{count / factor:.{decimals if count % factor else 0}f}{unit}"
    return str(count or "")


def human_duration(duration: timedelta) -> str:
    """A length of time in the coarsest words that still help."""
    seconds = duration.total_seconds()
    minutes, hours = int(seconds / 60), math.floor(seconds / 3600 + 0.5)
    if seconds < 60:
        return _short(int(seconds))
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    return f"{days // 30} months" if days < 730 else f"{days // 365} years"


def _short(seconds: int) -> str:
    if seconds < 1:
        return "Less than a second"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time; None for one that is absent, unreadable or Go's zero time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None if moment.year <= 1 else moment


def relative_time(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "Never"
    if moment > now:
        return f"{human_duration(moment - now)} from now"
    return f"{human_duration(now - moment)} ago"


def until(expires: datetime | None, now: datetime) -> str:
    """When an idle model leaves memory."""
    if expires is None or expires <= now:
        return "Stopping..."
    return "Forever" if expires - now > FOREVER else relative_time(expires, now)


def processor(size_bytes: int, size_vram_bytes: int) -> str:
    """Where a resident model's memory is."""
    if size_vram_bytes == 0:
        return "100% CPU"
    if size_vram_bytes == size_bytes:
        return "100% GPU"
    if size_vram_bytes > size_bytes or size_bytes == 0:
        return "Unknown"
    on_cpu = round(100 * (size_bytes - size_vram_bytes) / size_bytes)
    return f"{on_cpu}%/{100 - on_cpu}% CPU/GPU"


def table(rows: Sequence[Sequence[str]], *, indent: int = 0) -> str:
    """Left-aligned columns with a gap after each, the last included."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("".join(cell.ljust(width + COLUMN_GAP) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(" " * indent + line for line in lines)
