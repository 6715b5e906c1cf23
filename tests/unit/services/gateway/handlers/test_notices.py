"""Headers for what a dialect has no place for."""

from services.gateway.cluster_view import ModelProgress
from services.gateway.handlers.notices import truncation_headers, waiting_headers
from services.gateway.reply import worst


def test_what_was_lost_is_told_in_words_a_person_can_read() -> None:
    lost = {"dropped_messages_count": 2, "dropped_tokens_count": 120, "summarized_messages_count": 0}
    assert truncation_headers(lost) == {"X-Corral-Truncated": "messages=2, tokens=120"}
    assert truncation_headers({"summarized_messages_count": 8, "shifted_tokens_count": 3}) == {
        "X-Corral-Truncated": "summarized=8, shifted=3"
    }


def test_nothing_is_said_when_nothing_was_lost() -> None:
    assert truncation_headers({}) == truncation_headers({"dropped_tokens_count": 0}) == {}


def test_only_what_is_known_is_said_of_a_wait() -> None:
    assert waiting_headers(None, ModelProgress(state="absent")) == {"X-Corral-Model-State": "absent"}
    loading = ModelProgress(state="loading", elapsed_s=3.24)
    assert waiting_headers(2, loading) == {
        "X-Corral-Queue-Position": "2",
        "X-Corral-Model-State": "loading; elapsed_s=3.2",
    }


def test_of_several_answers_the_worst_counts_of_each_kind() -> None:
    assert worst([{"a": 1, "b": 5}, {}, {"a": 3}]) == {"a": 3, "b": 5}
