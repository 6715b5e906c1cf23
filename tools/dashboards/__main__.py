"""Write Grafana's dashboards: `python -m tools.dashboards`. Grafana reads the JSON, people change the Python."""

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tools.dashboards import models, overview, queueing, registry, workers
from tools.dashboards.board import Board, built

FOLDER: Final = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards"


def boards() -> tuple[Board, ...]:
    return (overview.board(), models.board(), queueing.board(), workers.board(), registry.board())


def text_of(board: Board) -> str:
    return JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False).encode(built(board)) + "\n"


def main() -> None:
    for board in boards():
        (FOLDER / f"{board.name}.json").write_text(text_of(board), encoding="utf-8")


if __name__ == "__main__":
    main()
