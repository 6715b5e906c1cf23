"""Conversions within the test's own process: what a child does, without the child."""

from collections.abc import Mapping
from pathlib import Path

from services.registry.conversion.convert_child import convert
from services.registry.conversion.messages import Convert


def converted(files: Mapping[str, Path], folder: Path) -> Path:
    """The GGUF that an import of these files makes.

    Raises: ModelFileInvalid.
    """
    output = folder / "converted.gguf"
    convert(Convert(files={name: str(path) for name, path in files.items()}, output=str(output)), lambda _share: None)
    return output
