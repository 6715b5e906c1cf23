"""Which turns a summary may replace, and what the shorter conversation looks like."""

import pytest
from msgspec import structs

from services.gateway.condensing import (
    Size,
    chosen_cut,
    condensed,
    cuts,
    fingerprints,
    portions,
    summarized_count,
    summary_request,
)
from shared.digest import Digest
from shared.generation import ChatPrompt, Message, Think, ToolCall

WEIGHTS = Digest("sha256:" + "a" * 64)
CHAT = ChatPrompt(
    messages=(
        Message("system", "Be brief."),
        Message("user", "one"),
        Message("assistant", "two"),
        Message("user", "three"),
        Message("assistant", "", tool_calls=(ToolCall("look", '{"at":4}'),)),
        Message("tool", "four", tool_name="look"),
        Message("assistant", "five"),
        Message("user", "six"),
    ),
    tools=({"type": "function"},),
    think=True,
)


def test_a_chat_may_be_cut_before_an_assistants_message_only() -> None:
    assert cuts(CHAT) == [2, 4, 6]
    assert cuts(ChatPrompt(messages=CHAT.messages[:2])) == []


def test_the_models_own_messages_are_never_summarized() -> None:
    examples = ChatPrompt(
        messages=(Message("user", "q"), Message("assistant", "a"), *CHAT.messages[1:4]), model_messages_count=2
    )
    assert cuts(examples) == [3]
    assert summarized_count(examples, 3) == 1
    assert condensed(examples, "s", 3).messages[:2] == examples.messages[:2]


def test_the_summary_stands_in_place_of_the_older_turns_and_system_messages_stay() -> None:
    shorter = condensed(CHAT, "They counted to four.", 6)
    assert [(message.role, message.content) for message in shorter.messages] == [
        ("system", "Be brief."),
        ("user", "Summary of our conversation so far:\nThey counted to four."),
        ("assistant", "five"),
        ("user", "six"),
    ]
    assert (shorter.tools, shorter.think) == (CHAT.tools, CHAT.think)
    assert summarized_count(CHAT, 6) == 5


def test_as_much_stays_as_half_the_context_holds() -> None:
    assert chosen_cut(CHAT, Size(prompt_tokens=100, context_tokens=100)) == 6
    assert chosen_cut(CHAT, Size(prompt_tokens=100, context_tokens=130)) == 4
    assert chosen_cut(CHAT, Size(prompt_tokens=100, context_tokens=170)) == 2
    assert chosen_cut(CHAT, Size(prompt_tokens=100, context_tokens=20)) is None


def test_a_conversation_is_full_beyond_four_fifths_of_its_context() -> None:
    assert not Size(prompt_tokens=80, context_tokens=100).is_full
    assert Size(prompt_tokens=81, context_tokens=100).is_full


def test_a_summary_is_asked_for_with_all_that_was_said_and_what_was_summarized_before() -> None:
    asked = summary_request(CHAT, "They said hello.", 3, 6)
    system, user = asked.messages
    assert system.role == "system"
    assert user.content.startswith("Summary of what came before:\nThey said hello.\n\nuser: three\n\n")
    assert 'assistant: [calls look {"at":4}]\n\ntool: four' in user.content
    assert "Be brief." not in summary_request(CHAT, "", 0, 3).messages[1].content
    assert asked.tools == ()


@pytest.mark.parametrize("think", [True, False, "high", None])
def test_nobody_thinks_about_a_summary(think: Think) -> None:
    assert summary_request(structs.replace(CHAT, think=think), "", 0, 3).think is False


def test_long_histories_are_summarized_in_parts_that_meet() -> None:
    parts = list(portions(CHAT, Size(prompt_tokens=1000, context_tokens=500), 1, 6))
    assert len(parts) > 1
    assert [start for start, _ in parts] == [1, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == 6
    assert list(portions(CHAT, Size(prompt_tokens=10, context_tokens=500), 1, 6)) == [(1, 6)]
    assert list(portions(CHAT, Size(prompt_tokens=10, context_tokens=500), 6, 6)) == []


class ToldName(str):
    """The name of a tool that counts how often it is told."""

    told_count = 0

    def __format__(self, spec: str) -> str:
        self.told_count += 1
        return super().__format__(spec)


def test_a_message_is_not_told_again_for_every_place_to_cut() -> None:
    name = ToldName("look")
    turn = (Message("user", "where?"), Message("assistant", "", tool_calls=(ToolCall(name, "{}"),)))
    long = ChatPrompt(messages=turn * 100)
    size = Size(prompt_tokens=1000, context_tokens=100)
    cut = chosen_cut(long, size)
    assert cut is not None
    assert cut > 180
    assert len(list(portions(long, size, 0, cut))) > 10
    assert name.told_count == 2 * 100, "once for the cut and once for the portions"


def test_a_conversation_that_grows_keeps_the_names_of_its_beginnings() -> None:
    longer = ChatPrompt(messages=(*CHAT.messages, Message("assistant", "seven")))
    names = fingerprints(CHAT, weights=WEIGHTS, tenant="ann")
    assert fingerprints(longer, weights=WEIGHTS, tenant="ann")[: len(names)] == names
    assert len(set(names)) == len(CHAT.messages) + 1


def test_another_tenant_another_model_or_another_word_has_another_name() -> None:
    mine = set(fingerprints(CHAT, weights=WEIGHTS, tenant="ann"))
    assert mine.isdisjoint(fingerprints(CHAT, weights=WEIGHTS, tenant="bob"))
    assert mine.isdisjoint(fingerprints(CHAT, weights=Digest("sha256:" + "b" * 64), tenant="ann"))
    other = ChatPrompt(messages=(Message("system", "Be long."), *CHAT.messages[1:]))
    assert mine.isdisjoint(fingerprints(other, weights=WEIGHTS, tenant="ann")[1:])
