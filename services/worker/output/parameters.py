"""Parameters in tags: what a call in XML, or nearly XML, holds. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.worker.output.json_text import joined_object
from services.worker.output.tools import Tools, Unreadable
from services.worker.output.typed_values import typed_text


@dataclass(frozen=True, slots=True)
class ParameterTags:
    """`opening` name `name_end` value `closing`."""

    opening: str
    name_end: str
    closing: str

    def arguments(self, tool: str, text: str, tools: Tools) -> str:
        """All parameters in `text`, which holds nothing else, as a JSON object typed by the tool's schema.

        Raises: Unreadable.
        """
        return joined_object(
            (name, typed_text(value, tools.parameter(tool, name))) for name, value in self._parameters(text)
        )

    def _parameters(self, text: str) -> Iterator[tuple[str, str]]:
        before, *parts = text.split(self.opening)
        if before.strip():
            raise Unreadable("something stands before the parameters")
        for part in parts:
            inner, closing, after = part.rpartition(self.closing)
            name, name_end, value = inner.partition(self.name_end)
            if not closing or not name_end or after.strip():
                raise Unreadable("a parameter is not closed")
            # The line breaks next to the tags belong to these.
            yield name.strip(), value.removeprefix("\n").removesuffix("\n")
