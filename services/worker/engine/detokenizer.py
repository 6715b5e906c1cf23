"""Token bytes to whole characters: an unfinished UTF-8 character waits for its rest. Pure given the pieces."""

import codecs


class Detokenizer:
    """Joins pieces; invalid bytes become U+FFFD as soon as they can no longer become valid."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, piece: bytes) -> str:
        return self._decoder.decode(piece)

    def flush(self) -> str:
        """What an unfinished character at the very end turns into."""
        return self._decoder.decode(b"", final=True)
