"""The one thing commands need of argparse's undocumented type."""

import argparse
from typing import Any, Protocol


class Subparsers(Protocol):
    """What `add_subparsers` returns."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser: ...
