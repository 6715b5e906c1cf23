"""The official Anthropic client against the whole cluster and a real model."""

import anthropic
from anthropic.types import Message, MessageParam, ToolChoiceToolParam, ToolParam

from harness.cluster import CONTEXT_TOKENS, MODEL

ASKED: list[MessageParam] = [{"role": "user", "content": "Why is the sky blue?"}]
GREEDY = {"temperature": 0}
UNITS = ["celsius", "fahrenheit"]
WEATHER: ToolParam = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"unit": {"enum": UNITS}},
        "required": ["unit"],
        "additionalProperties": False,
    },
}
FORCED: ToolChoiceToolParam = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}


def text_of(message: Message) -> str:
    (block,) = message.content
    assert block.type == "text"
    return block.text


def prompt_tokens(message: Message) -> int:
    """All of the prompt: Anthropic counts what came from the cache apart."""
    usage = message.usage
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


async def test_a_stream_says_what_the_whole_message_says_and_counts_alike(claude: anthropic.AsyncAnthropic) -> None:
    whole = await claude.messages.create(model=MODEL, max_tokens=24, messages=ASKED, extra_body=GREEDY)
    async with claude.messages.stream(model=MODEL, max_tokens=24, messages=ASKED, extra_body=GREEDY) as stream:
        streamed = await stream.get_final_message()
    assert text_of(streamed) == text_of(whole) != ""
    assert streamed.usage.output_tokens == whole.usage.output_tokens == 24
    assert prompt_tokens(streamed) == prompt_tokens(whole)
    assert (streamed.usage.cache_read_input_tokens or 0) > 0, "the same prompt again is not computed again"
    assert (streamed.stop_reason, whole.stop_reason) == ("max_tokens", "max_tokens")


async def test_a_stop_sequence_ends_the_message_and_is_named(claude: anthropic.AsyncAnthropic) -> None:
    whole = await claude.messages.create(model=MODEL, max_tokens=24, messages=ASKED, extra_body=GREEDY)
    word = text_of(whole).split()[3]
    cut = await claude.messages.create(
        model=MODEL, max_tokens=24, messages=ASKED, stop_sequences=["never said", word], extra_body=GREEDY
    )
    assert (cut.stop_reason, cut.stop_sequence) == ("stop_sequence", word)
    assert text_of(cut) == text_of(whole)[: text_of(whole).index(word)]


async def test_tokens_are_counted_as_the_model_reads_them(claude: anthropic.AsyncAnthropic) -> None:
    count = await claude.messages.count_tokens(model=MODEL, system="Be brief.", messages=ASKED)
    message = await claude.messages.create(
        model=MODEL, max_tokens=1, system="Be brief.", messages=ASKED, extra_body=GREEDY
    )
    assert count.input_tokens == prompt_tokens(message)


async def test_a_conversation_longer_than_the_context_is_counted_whole(claude: anthropic.AsyncAnthropic) -> None:
    said: list[MessageParam] = [{"role": "user", "content": "word " * CONTEXT_TOKENS}]
    twice: list[MessageParam] = [*said, {"role": "assistant", "content": "Yes."}, *said]
    count, double = [
        (await claude.messages.count_tokens(model=MODEL, messages=messages)).input_tokens for messages in (said, twice)
    ]
    assert count > CONTEXT_TOKENS
    assert double > 2 * CONTEXT_TOKENS


async def test_a_tool_that_must_be_called_is_called_and_its_result_is_read(
    claude: anthropic.AsyncAnthropic, caller: str
) -> None:
    async with claude.messages.stream(
        model=caller,
        max_tokens=100,
        messages=ASKED,
        tools=[WEATHER],
        tool_choice=FORCED,
        extra_body=GREEDY,
    ) as stream:
        called = await stream.get_final_message()
    (use,) = called.content
    assert use.type == "tool_use"
    assert use.input["unit"] in UNITS
    assert called.stop_reason == "tool_use"
    answered: list[MessageParam] = [
        *ASKED,
        called.to_param(),
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "12 degrees, rain"}]},
    ]
    asked, told = [
        (await claude.messages.count_tokens(model=caller, messages=said, tools=[WEATHER])).input_tokens
        for said in (ASKED, answered)
    ]
    read = await claude.messages.create(model=caller, max_tokens=1, messages=answered, tools=[WEATHER])
    assert prompt_tokens(read) == told > asked + called.usage.output_tokens
    without = await claude.messages.count_tokens(model=caller, messages=ASKED)
    assert without.input_tokens < asked
