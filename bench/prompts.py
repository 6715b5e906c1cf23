"""Questions that call for long answers and share no beginning. The same call gives the same text on every run."""

from typing import Final

_OPENINGS: Final = (
    "Write a long story about", "Explain in detail the history of", "Describe at length a day in the life of",
    "List and discuss many facts about", "Give a thorough introduction to", "Tell me everything you know about",
    "Compose a detailed travel guide to", "Write an essay about",
)  # fmt: skip
_SUBJECTS: Final = (
    "a lighthouse keeper", "the city of Lisbon", "steam engines", "a colony of bees", "the Roman aqueducts",
    "mountain railways", "the making of paper", "a ship's cook", "ancient astronomy", "the invention of glass",
    "a small bakery", "river deltas", "the silk trade", "migrating birds", "a village school", "volcanoes",
)  # fmt: skip


def question(number: int) -> str:
    """The `number`-th question. The number comes first, so that no two questions begin alike."""
    opening = _OPENINGS[number % len(_OPENINGS)]
    subject = _SUBJECTS[number // len(_OPENINGS) % len(_SUBJECTS)]
    return f"{number}. {opening} {subject}. Use at least two hundred words."
