"""A reply on its way to a person: the answer, and before it what the model thinks, set apart as `ollama` does it."""

from collections.abc import Mapping
from typing import Any, Final, TextIO

BEGIN: Final = "Thinking...\n"
END: Final = "\n...done thinking.\n\n"


class Teller:
    """Writes answers to `out` and thoughts to `thoughts`; None keeps these to itself."""

    def __init__(self, out: TextIO, thoughts: TextIO | None) -> None:
        self._out = out
        self._thoughts = thoughts
        self._thinks = False
        self.text = ""
        self.thinking = ""

    def tell(self, said: Mapping[str, Any], key: str) -> None:
        """The next part of a reply: `thinking`, and the answer at `key`."""
        self._think(said.get("thinking") or "")
        if text := said.get(key) or "":
            self.end_thought()
            self.text += text
            self._out.write(text)
            self._out.flush()

    def end_thought(self) -> None:
        if self._thinks and self._thoughts is not None:
            self._thoughts.write(END)
            self._thoughts.flush()
        self._thinks = False

    def _think(self, thinking: str) -> None:
        if not thinking:
            return
        if self._thoughts is not None:
            self._thoughts.write(thinking if self._thinks else BEGIN + thinking)
            self._thoughts.flush()
        self._thinks = True
        self.thinking += thinking
