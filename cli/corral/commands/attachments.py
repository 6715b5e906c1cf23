"""Files named in a prompt, for models that see or hear: taken out of the text and sent along, as `ollama run` does."""

import base64
import re
from pathlib import Path
from typing import Final

from corral.errors import CliError

FILE_BYTES_MAX: Final = 100 << 20
_PATH: Final = re.compile(
    r"""(?x)
    (?: (?P<quote>['"]) (?P<quoted> [^'"\n]+? \.(?:jpe?g|png|webp|wav|mp3) ) (?P=quote)
      | (?<!\S) (?P<bare> (?:\\.|[^\s'"\\])+ \.(?:jpe?g|png|webp|wav|mp3) ) (?!\S) )
    """,
    re.IGNORECASE,
)


def attached(prompt: str) -> tuple[str, list[str]]:
    """The prompt without the paths of files that exist, and their contents in base64. Blanks in paths are quoted or
    written after a backslash.

    Raises: CliError for a file that is too large or cannot be read.
    """
    contents: list[str] = []

    def taken(found: re.Match[str]) -> str:
        path = Path(found["quoted"] or re.sub(r"\\(.)", r"\1", found["bare"])).expanduser()
        if not path.is_file():
            return found[0]
        contents.append(_content(path))
        return ""

    return _PATH.sub(taken, prompt).strip(), contents


def _content(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CliError(f"{path} has more than {FILE_BYTES_MAX >> 20} MiB")
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as cause:
        raise CliError(f"{path} cannot be read: {cause.strerror}") from cause
