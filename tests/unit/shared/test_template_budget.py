"""The limits of one rendering: each allows what it says and not one more."""

import pytest

from shared.errors import TemplateFailed, TemplateInvalid
from shared.template_budget import CHARS_MADE_PER_STEP, CHARS_SEEN_PER_STEP, SOURCE_CHARS_MAX, Budget, check_source


def test_each_limit_holds_at_its_number() -> None:
    budget = Budget(steps_max=2, built_chars_max=3, output_chars_max=4)
    budget.step(2)
    budget.build(3)
    budget.output(4)
    for spend in (budget.step, budget.build, budget.output):
        with pytest.raises(TemplateFailed):
            spend(1)


def test_looking_at_much_text_and_making_it_takes_steps() -> None:
    budget = Budget(steps_max=2)
    budget.see(CHARS_SEEN_PER_STEP - 1)
    budget.see(CHARS_SEEN_PER_STEP)
    budget.make(CHARS_MADE_PER_STEP)
    with pytest.raises(TemplateFailed, match="steps"):
        budget.make(CHARS_MADE_PER_STEP)


def test_a_source_has_a_length() -> None:
    check_source("a" * SOURCE_CHARS_MAX)
    with pytest.raises(TemplateInvalid, match="longer than"):
        check_source("a" * (SOURCE_CHARS_MAX + 1))
