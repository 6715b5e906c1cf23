"""Assembling prompts from requests and the model's own instructions."""

import json
from typing import Any

import msgspec
import pytest

from fakes.model_entries import model_entry
from services.gateway.conversation import Conversation
from services.gateway.dialects.ollama import parse_generate
from services.gateway.prompts import prompt_of_chat, prompt_of_generate, prompt_tokens_estimate, think_of
from shared.errors import CapabilityMissing
from shared.generation import ChatPrompt, InsertPrompt, LoadOnly, Message, Prompt, RawPrompt, Think, ToolCall
from shared.model_index import ModelEntry

STORED = (Message("user", "2+2?"), Message("assistant", "4"))
ENTRY = model_entry("tiny", system="Be brief.", messages=STORED)
SYSTEM = Message("system", "Be brief.")
ASKED = Message("user", "Hi")


def generated(**fields: Any) -> Prompt:
    return prompt_of_generate(parse_generate(json.dumps({"prompt": "Hi", **fields}).encode()), ENTRY)


def test_generate_puts_the_models_instructions_in_front() -> None:
    assert generated() == ChatPrompt(messages=(SYSTEM, *STORED, ASKED), model_messages_count=3)


def test_a_system_of_the_request_replaces_the_models_and_shares_no_prefix() -> None:
    assert generated(system="Rhyme.") == ChatPrompt(
        messages=(Message("system", "Rhyme."), *STORED, ASKED), model_messages_count=0
    )


def test_tokens_of_an_earlier_reply_take_the_place_of_stored_messages() -> None:
    assert generated(context=[5, 6], template="{{ .Prompt }}") == ChatPrompt(
        messages=(SYSTEM, ASKED),
        model_messages_count=1,
        template="{{ .Prompt }}",
        context=(5, 6),
    )


def generated_by(entry: ModelEntry, **fields: Any) -> Prompt:
    return prompt_of_generate(parse_generate(json.dumps({"prompt": "Hi", **fields}).encode()), entry)


def test_a_suffix_makes_a_gap_for_the_requests_template_or_the_models() -> None:
    entry = msgspec.structs.replace(ENTRY, template="{{ .Prompt }}_{{ .Suffix }}")
    assert generated_by(entry, suffix="there") == InsertPrompt(before="Hi", after="there", template=str(entry.template))
    assert generated_by(entry, suffix="there", template="{{ .Suffix }}", think=False) == InsertPrompt(
        before="Hi", after="there", template="{{ .Suffix }}", think=False
    )


def test_a_suffix_without_any_template_that_could_show_it_is_refused() -> None:
    with pytest.raises(CapabilityMissing) as refused:
        generated(suffix="there")
    assert refused.value.message == "registry.ollama.ai/library/tiny:latest does not support insert"


def test_images_stand_with_the_prompt_and_a_thinking_model_thinks_in_generate_too() -> None:
    entry = msgspec.structs.replace(
        model_entry("tiny", capabilities=("completion", "thinking")), parser="qwen3-thinking"
    )
    prompt = generated_by(entry, images=["aGk="])
    assert prompt == ChatPrompt(
        messages=(Message("user", "Hi", images=(b"hi",)),), think=True, model_parser="qwen3-thinking"
    )


@pytest.mark.parametrize(("family", "think"), [("gptoss", "high"), ("qwen3", "max")])
def test_gpt_oss_thinks_as_hard_as_it_can(family: str, think: str) -> None:
    assert think_of("max", model_entry("some", family=family)) == think


def said(*messages: Message) -> Conversation:
    return Conversation(messages=messages)


def test_raw_text_and_no_text() -> None:
    assert generated(raw=True) == RawPrompt(text="Hi")
    assert generated(prompt="") == LoadOnly()
    assert prompt_of_chat(said(), ENTRY) == LoadOnly()


def test_a_chat_that_begins_with_its_own_system_leaves_out_the_models() -> None:
    own = Message("system", "Rhyme.")
    assert prompt_of_chat(said(own, ASKED), ENTRY) == ChatPrompt(messages=(*STORED, own, ASKED), model_messages_count=2)


def test_the_models_template_goes_with_the_prompt() -> None:
    entry = msgspec.structs.replace(ENTRY, template="{{ .Prompt }}")
    for prompt in (prompt_of_chat(said(ASKED), entry), prompt_of_generate(parse_generate(b'{"prompt": "Hi"}'), entry)):
        assert isinstance(prompt, ChatPrompt)
        assert prompt.model_template == "{{ .Prompt }}"


@pytest.mark.parametrize(("family", "kept"), [("qwen3", "answer"), ("llama", "<think>\nhm\n</think>\n\nanswer")])
def test_old_thoughts_are_cut_for_the_models_that_expect_it(family: str, kept: str) -> None:
    entry = msgspec.structs.replace(model_entry("some", family=family))
    thought = Message("assistant", "<think>\nhm\n</think>\n\nanswer")
    prompt = prompt_of_chat(said(ASKED, thought, ASKED, thought), entry)
    assert isinstance(prompt, ChatPrompt)
    assert [message.content for message in prompt.messages] == ["Hi", kept, "Hi", thought.content]


@pytest.mark.parametrize(
    ("capabilities", "asked", "think"),
    [(("thinking",), None, True), (("thinking",), False, False), (("thinking",), "low", "low"), ((), None, None)],
)
def test_a_model_that_can_think_does_unless_told_otherwise(
    capabilities: tuple[str, ...], asked: Think, think: Think
) -> None:
    entry = msgspec.structs.replace(ENTRY, capabilities=("completion", *capabilities))
    prompt = prompt_of_chat(Conversation(messages=(ASKED,), think=asked), entry)
    assert isinstance(prompt, ChatPrompt)
    assert prompt.think == think


def test_a_prompt_is_estimated_at_four_characters_a_token() -> None:
    assert prompt_tokens_estimate(ChatPrompt(messages=(Message("user", "a" * 40),), context=(1, 2))) == 12
    call = ToolCall("four", "f" * 16)
    assert prompt_tokens_estimate(ChatPrompt(messages=(Message("assistant", "a" * 8, "b" * 12, (call,)),))) == 10
    assert prompt_tokens_estimate(ChatPrompt(messages=(Message("user", "", images=(b"", b"")),))) == 2 * 768
    assert prompt_tokens_estimate(ChatPrompt(messages=(), tools=({"a": "b" * 29},))) == 9
    assert prompt_tokens_estimate(RawPrompt(text="a" * 8)) == 2
    assert prompt_tokens_estimate(LoadOnly()) == 0
