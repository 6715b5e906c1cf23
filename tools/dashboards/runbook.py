"""What docs/monitoring.md says of an alert, for the panel that shows what the alert watches."""

import re
from pathlib import Path
from typing import Final

GUIDE: Final = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]*\)")
"""A link within the guide leads nowhere from Grafana."""


def runbook(alert: str) -> str:
    """The alert's section, as the Markdown that Grafana shows beside a panel's title.

    Raises: LookupError when there is no such section.
    """
    pattern = rf"^### {re.escape(alert)}\n\n(?P<section>.*?)\n*(?=^#|\Z)"
    found = re.search(pattern, GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{GUIDE.name} says nothing of {alert}")
    section = _LINK.sub(r"\1", found["section"])
    return f"**{alert}** calls somebody: {section}"
