"""The official Anthropic client against the whole cluster and a real model."""

from collections.abc import AsyncIterator

import anthropic
import httpx
import pytest
from anthropic.types import Message, MessageParam, ToolChoiceToolParam, ToolParam

from harness.cluster import CONTEXT_TOKENS, MODEL, Cluster

ASKED: list[MessageParam] = [{"role": "user", "content": "Why is the sky blue?"}]
GREEDY = {"temperature": 0}
TOOL_TEMPLATE = """{{ if .Tools }}<|im_start|>system
You may call these functions: {{ .Tools }}<|im_end|>
{{ end }}
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}{{ range .ToolCalls }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
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


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=cluster.url, api_key="unused") as made:
        yield made


def text_of(message: Message) -> str:
    (block,) = message.content
    assert block.type == "text"
    return block.text


def prompt_tokens(message: Message) -> int:
    """All of the prompt: Anthropic counts what came from the cache apart."""
    usage = message.usage
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


async def test_a_stream_says_what_the_whole_message_says_and_counts_alike(client: anthropic.AsyncAnthropic) -> None:
    whole = await client.messages.create(model=MODEL, max_tokens=24, messages=ASKED, extra_body=GREEDY)
    async with client.messages.stream(model=MODEL, max_tokens=24, messages=ASKED, extra_body=GREEDY) as stream:
        streamed = await stream.get_final_message()
    assert text_of(streamed) == text_of(whole) != ""
    assert streamed.usage.output_tokens == whole.usage.output_tokens == 24
    assert prompt_tokens(streamed) == prompt_tokens(whole)
    assert (streamed.usage.cache_read_input_tokens or 0) > 0, "the same prompt again is not computed again"
    assert (streamed.stop_reason, whole.stop_reason) == ("max_tokens", "max_tokens")


async def test_a_stop_sequence_ends_the_message_and_is_named(client: anthropic.AsyncAnthropic) -> None:
    whole = await client.messages.create(model=MODEL, max_tokens=24, messages=ASKED, extra_body=GREEDY)
    word = text_of(whole).split()[3]
    cut = await client.messages.create(
        model=MODEL, max_tokens=24, messages=ASKED, stop_sequences=["never said", word], extra_body=GREEDY
    )
    assert (cut.stop_reason, cut.stop_sequence) == ("stop_sequence", word)
    assert text_of(cut) == text_of(whole)[: text_of(whole).index(word)]


async def test_tokens_are_counted_as_the_model_reads_them(client: anthropic.AsyncAnthropic) -> None:
    count = await client.messages.count_tokens(model=MODEL, system="Be brief.", messages=ASKED)
    message = await client.messages.create(
        model=MODEL, max_tokens=1, system="Be brief.", messages=ASKED, extra_body=GREEDY
    )
    assert count.input_tokens == prompt_tokens(message)


async def test_a_conversation_longer_than_the_context_is_counted_whole(client: anthropic.AsyncAnthropic) -> None:
    said: list[MessageParam] = [{"role": "user", "content": "word " * CONTEXT_TOKENS}]
    twice: list[MessageParam] = [*said, {"role": "assistant", "content": "Yes."}, *said]
    count, double = [
        (await client.messages.count_tokens(model=MODEL, messages=messages)).input_tokens for messages in (said, twice)
    ]
    assert count > CONTEXT_TOKENS
    assert double > 2 * CONTEXT_TOKENS


@pytest.fixture
async def caller(cluster: Cluster) -> AsyncIterator[str]:
    """The bundled model with a template that shows tools."""
    body = {"model": "weather-caller", "from": MODEL, "template": TOOL_TEMPLATE, "stream": False}
    async with httpx.AsyncClient(base_url=cluster.url, timeout=60) as http:
        (await http.post("/api/create", json=body)).raise_for_status()
        yield "weather-caller"
        (await http.request("DELETE", "/api/delete", json={"model": "weather-caller"})).raise_for_status()


async def test_a_tool_that_must_be_called_is_called_and_its_result_is_read(
    client: anthropic.AsyncAnthropic, caller: str
) -> None:
    async with client.messages.stream(
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
        (await client.messages.count_tokens(model=caller, messages=said, tools=[WEATHER])).input_tokens
        for said in (ASKED, answered)
    ]
    read = await client.messages.create(model=caller, max_tokens=1, messages=answered, tools=[WEATHER])
    assert prompt_tokens(read) == told > asked + called.usage.output_tokens
    without = await client.messages.count_tokens(model=caller, messages=ASKED)
    assert without.input_tokens < asked
