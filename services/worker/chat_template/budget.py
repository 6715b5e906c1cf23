"""How much work one rendering may do. Templates come from model files and requests, so none is trusted to end."""

from typing import Final

from shared.errors import ParameterInvalid

SOURCE_CHARS_MAX: Final = 256 * 1024
OUTPUT_CHARS_MAX: Final = 16 * 1024 * 1024
STEPS_MAX: Final = 2_000_000
BUILT_CHARS_MAX: Final = 64 * 1024 * 1024
"""Text a template may put together on the way to its output, counted each time it is copied."""


def check_source(source: str) -> None:
    """Raises: ParameterInvalid for a template too long to be one."""
    if len(source) > SOURCE_CHARS_MAX:
        raise ParameterInvalid(f"the template is longer than {SOURCE_CHARS_MAX} characters")


class Budget:
    """Counts one rendering's steps and text; raises ParameterInvalid at the first that is too many."""

    def __init__(
        self,
        *,
        steps_max: int = STEPS_MAX,
        built_chars_max: int = BUILT_CHARS_MAX,
        output_chars_max: int = OUTPUT_CHARS_MAX,
    ) -> None:
        self._steps_left = steps_max
        self._built_chars_left = built_chars_max
        self._output_chars_left = output_chars_max

    def step(self, count: int = 1) -> None:
        self._steps_left -= count
        if self._steps_left < 0:
            raise ParameterInvalid("the template takes too many steps")

    def build(self, chars: int) -> None:
        self._built_chars_left -= chars
        if self._built_chars_left < 0:
            raise ParameterInvalid("the template builds too much text")

    def output(self, chars: int) -> None:
        self._output_chars_left -= chars
        if self._output_chars_left < 0:
            raise ParameterInvalid("the rendered prompt is too long")
