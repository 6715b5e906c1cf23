"""How much work one rendering may do. Templates come from model files and requests, so none is trusted to end."""

from typing import Final

from shared.errors import TemplateFailed, TemplateInvalid

SOURCE_CHARS_MAX: Final = 256 * 1024
OUTPUT_CHARS_MAX: Final = 16 * 1024 * 1024
STEPS_MAX: Final = 500_000
"""A step is a node, an operand or an iteration; half a million take less than a worker's heartbeat allows."""
BUILT_CHARS_MAX: Final = 32 * 1024 * 1024
"""Text a template may put together on the way to its output, counted each time it is copied."""
CHARS_SEEN_PER_STEP: Final = 256
"""Looking at this much text, or as many items, takes about as long as a step."""
CHARS_MADE_PER_STEP: Final = 8
"""Turning a value into this much text does so too."""


def check_source(source: str) -> None:
    """Raises: TemplateInvalid for a template too long to be one."""
    if len(source) > SOURCE_CHARS_MAX:
        raise TemplateInvalid(f"template: the template is longer than {SOURCE_CHARS_MAX} characters")


class Budget:
    """Counts one rendering's steps and text; raises TemplateFailed at the first that is too many."""

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
            raise TemplateFailed("the template takes too many steps")

    def see(self, size: int) -> None:
        """Charge a look at a text or a list of that size."""
        self.step(size // CHARS_SEEN_PER_STEP)

    def make(self, chars: int) -> None:
        """Charge the work of turning a value into that much text."""
        self.step(chars // CHARS_MADE_PER_STEP)

    def build(self, chars: int) -> None:
        self._built_chars_left -= chars
        if self._built_chars_left < 0:
            raise TemplateFailed("the template builds too much text")

    def foresee(self, *, built: int, steps: int = 0) -> None:
        """Refuse what would be too much, charging nothing: for what is charged when it is done."""
        if built > self._built_chars_left:
            self.build(built)
        if steps > self._steps_left:
            self.step(steps)

    def output(self, chars: int) -> None:
        self._output_chars_left -= chars
        if self._output_chars_left < 0:
            raise TemplateFailed("the rendered prompt is too long")
