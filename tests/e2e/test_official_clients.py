"""The official Ollama and OpenAI clients against the whole cluster and a real model."""

import asyncio
from pathlib import Path

import ollama
import openai
import pytest

from harness.cluster import MODEL, SLOTS_COUNT, Cluster

GREEDY = {"temperature": 0, "num_predict": 48}
PROMPTS = [
    "Tell me about the sea.",
    "What is Python?",
    "Write a poem about rain.",
    "Tell me a story about a farm.",
    "Why is the sky blue?",
    "Explain gravity to a child.",
    "Name three rivers in Africa.",
    "How do I bake bread?",
]


def test_the_bundled_model_is_listed_and_described(client: ollama.Client) -> None:
    assert [model.model for model in client.list().models] == [MODEL]
    shown = client.show(MODEL)
    assert shown.details is not None
    assert shown.details.family == "llama"
    assert shown.capabilities == ["completion"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"] == 8192


def test_a_chat_streams_the_same_text_it_gives_at_once(client: ollama.Client) -> None:
    messages = [{"role": "user", "content": PROMPTS[0]}]
    whole = client.chat(MODEL, messages, options=GREEDY)
    pieces = list(client.chat(MODEL, messages, options=GREEDY, stream=True))
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert len(pieces) > 2  # tokens of quick steps travel together; one piece would not be a stream
    last = pieces[-1]
    assert last.done
    assert last.done_reason == "length"
    assert last.eval_count == GREEDY["num_predict"]
    for duration in (last.total_duration, last.load_duration, last.prompt_eval_duration, last.eval_duration):
        assert duration
        assert duration > 0


def test_generate_keeps_its_context_over_turns(client: ollama.Client) -> None:
    first = client.generate(MODEL, "My name is Zebediah. Say hello.", options=GREEDY)
    assert first.context
    second = client.generate(MODEL, "Repeat my name.", context=first.context, options=GREEDY)
    assert second.prompt_eval_count is not None
    assert second.prompt_eval_count > len(first.context)


def test_a_stop_string_ends_the_text_and_is_not_shown(client: ollama.Client) -> None:
    whole = client.generate(MODEL, "Count: one two three four five", raw=True, options=GREEDY).response
    assert whole is not None
    stop = whole.split()[3]
    cut = client.generate(MODEL, "Count: one two three four five", raw=True, options={**GREEDY, "stop": [stop]})
    assert cut.done_reason == "stop"
    assert cut.response == whole[: whole.index(stop)]


def test_a_seed_makes_sampling_repeatable(client: ollama.Client) -> None:
    options = {"temperature": 1.0, "seed": 7, "num_predict": 24}
    texts = {client.generate(MODEL, PROMPTS[2], options=options).response for _ in range(2)}
    assert len(texts) == 1
    assert client.generate(MODEL, PROMPTS[2], options={**options, "seed": 8}).response not in texts


async def test_eight_streams_at_once_say_what_each_says_alone(cluster: Cluster) -> None:
    async_client = ollama.AsyncClient(host=cluster.url)

    async def text_of(prompt: str) -> str:
        stream = await async_client.chat(MODEL, [{"role": "user", "content": prompt}], options=GREEDY, stream=True)
        return "".join([piece.message.content or "" async for piece in stream])

    alone = [await text_of(prompt) for prompt in PROMPTS]
    assert len(set(alone)) == SLOTS_COUNT
    assert await asyncio.gather(*(text_of(prompt) for prompt in PROMPTS)) == alone
    await async_client.close()  # type: ignore[no-untyped-call]


async def test_the_openai_client_streams_and_counts(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": PROMPTS[4]}], max_tokens=24, temperature=0
    )
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 24
    stream = await sdk.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": PROMPTS[4]}],
        max_tokens=24,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


async def test_the_openai_client_understands_an_unknown_model(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="model 'nobody' not found"):
        await sdk.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "hi"}])
    assert [model.id async for model in sdk.models.list()] == [MODEL]


def test_a_variant_of_a_model_is_made_used_copied_and_deleted(client: ollama.Client) -> None:
    client.create("pirate", from_=MODEL, system="You are a pirate.", parameters={"num_predict": 5, "temperature": 0})
    try:
        reply = client.chat("pirate", [{"role": "user", "content": "Who are you?"}])
        assert reply.eval_count == 5
        assert client.show("pirate").modelfile is not None
        client.copy("pirate", "corsair")
        assert client.chat("corsair", [{"role": "user", "content": "Who are you?"}]).message == reply.message
        client.delete("corsair")
    finally:
        client.delete("pirate")
    with pytest.raises(ollama.ResponseError, match="model 'pirate' not found"):
        client.chat("pirate", [{"role": "user", "content": "Who are you?"}])


def test_a_gguf_is_uploaded_and_answers(client: ollama.Client, tmp_path: Path, model_file: Path) -> None:
    digest = client.create_blob(model_file)
    statuses = [event.status for event in client.create("uploaded", files={"m.gguf": digest}, stream=True)]
    assert statuses[-1] == "success"
    assert client.generate("uploaded", "Hello", options={"num_predict": 3}).done
    client.delete("uploaded")


def test_an_empty_prompt_loads_and_a_zero_keep_alive_unloads(client: ollama.Client) -> None:
    assert client.generate(MODEL, "").done_reason == "load"
    assert MODEL in {model.model for model in client.ps().models}
    assert client.generate(MODEL, "", keep_alive=0).done_reason == "unload"
    assert MODEL not in {model.model for model in client.ps().models}
