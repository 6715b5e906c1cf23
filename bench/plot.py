"""The results as one picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from bench.records import Results
from bench.stats import Row, rows

MS: Final = 1000


Panel = tuple[str, Callable[[Row], float]]
PANELS: Final[tuple[Panel, ...]] = (
    ("tokens/s, all users together", lambda row: row.tokens_per_s),
    ("time to first token, p50, ms", lambda row: row.ttft_p50_s * MS),
    ("gap between tokens, p99, ms", lambda row: row.gap_p99_s * MS),
)


def draw(results: Results, path: Path) -> None:
    """Bars by number of users: tokens per second, and the usual and the worst waits."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 — only after the backend without a screen is chosen

    found = rows(results.blocks)
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for axis, (title, value) in zip(axes, PANELS, strict=True):
        _bars(axis, found, value)
        axis.set_title(title)
        axis.set_xlabel("users")
    axes[0].legend()
    figure.suptitle(f"{results.date} {results.name}: {results.machine.get('processor', '')}")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _bars(axis: Any, found: Sequence[Row], value: Callable[[Row], float]) -> None:
    """One group a level, one bar a server."""
    levels = list(dict.fromkeys(row.users for row in found))
    names = list(dict.fromkeys(row.server for row in found))
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        own = [row for row in found if row.server == name]
        places = [levels.index(row.users) + (index - (len(names) - 1) / 2) * width for row in own]
        axis.bar(places, [value(row) for row in own], width, label=name)
    axis.set_xticks(range(len(levels)), [str(level) for level in levels])
