"""The files of a folder import, read as if an enemy wrote them: by name, within limits, JSON into types."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import msgspec

from shared.errors import ModelFileInvalid

FILE_BYTES_MAX: Final = 128 << 20
"""The largest file that is read into memory; the largest tokenizers have about 35 MB."""

T = TypeVar("T")


def refuse(reason: str) -> NoReturn:
    raise ModelFileInvalid(reason)


class Source:
    """Relative names and where the content lies; a name is only ever looked up, never made a path of."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def json(self, name: str, kind: type[T]) -> T:
        """A JSON file that must be there.

        Raises: ModelFileInvalid.
        """
        found = self.optional_json(name, kind)
        if found is None:
            refuse(f"{name} is missing")
        return found

    def optional_json(self, name: str, kind: type[T]) -> T | None:
        """A JSON file's content as a type; None when there is no such file.

        Raises: ModelFileInvalid.
        """
        content = self.optional_content(name)
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
            raise ModelFileInvalid(f"{name}: {cause}") from cause

    def optional_content(self, name: str) -> bytes | None:
        """A small file's bytes; None when there is no such file.

        Raises: ModelFileInvalid when it is not small.
        """
        path = self.files.get(name)
        if path is None:
            return None
        if path.stat().st_size > FILE_BYTES_MAX:
            refuse(f"{name} is larger than {FILE_BYTES_MAX} bytes")
        return path.read_bytes()
