"""Questions that share no beginning."""

from bench.prompts import question


def test_no_two_questions_of_a_long_run_begin_alike() -> None:
    beginnings = {question(number).split(" ", 1)[0] for number in range(2000)}
    assert len(beginnings) == 2000


def test_the_same_number_is_always_the_same_question() -> None:
    assert question(123) == question(123)
