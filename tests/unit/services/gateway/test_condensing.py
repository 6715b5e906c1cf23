"""Which turns a summary may replace, and what the shorter conversation looks like."""

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
from shared.generation import ChatPrompt, Message, ToolCall

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
    assert (asked.tools, asked.think) == ((), False)


def test_long_histories_are_summarized_in_parts_that_meet() -> None:
    parts = list(portions(CHAT, Size(prompt_tokens=1000, context_tokens=500), 1, 6))
    assert len(parts) > 1
    assert [start for start, _ in parts] == [1, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == 6
    assert list(portions(CHAT, Size(prompt_tokens=10, context_tokens=500), 1, 6)) == [(1, 6)]
    assert list(portions(CHAT, Size(prompt_tokens=10, context_tokens=500), 6, 6)) == []


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
