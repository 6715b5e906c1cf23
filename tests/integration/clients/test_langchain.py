"""langchain-ollama, unchanged."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

import pydantic
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from redis.asyncio import Redis

from fakes.manners import ENDLESS
from fakes.worker import ScriptedWorker
from integration.gateway.setup import until_no_job_is_left

Model = TypeVar("Model", ChatOllama, OllamaLLM, OllamaEmbeddings)


@contextlib.asynccontextmanager
async def closing(model: Model) -> AsyncIterator[Model]:
    """langchain leaves its connections to the garbage collector."""
    try:
        yield model
    finally:
        assert model._async_client is not None
        assert model._client is not None
        await model._async_client.close()  # type: ignore[no-untyped-call]
        model._client.close()  # type: ignore[no-untyped-call]


class Person(pydantic.BaseModel):
    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


async def test_it_chats_streamed_and_whole(url: str, worker: ScriptedWorker) -> None:
    async with closing(ChatOllama(model="able", base_url=url)) as model:
        assert (await model.ainvoke("Hi")).content == "Hello there"
        assert "".join([str(piece.content) async for piece in model.astream("Hi")]) == "Hello there"
    async with closing(OllamaLLM(model="able", base_url=url)) as completer:
        assert await completer.ainvoke("Hi") == "Hello there"


async def test_it_calls_tools_and_tells_the_results(url: str, worker: ScriptedWorker) -> None:
    asked = HumanMessage("How is the weather in Paris?")
    async with closing(ChatOllama(model="able", base_url=url)) as chat:
        model = chat.bind_tools([get_weather])
        reply = await model.ainvoke([asked])
        (call,) = reply.tool_calls
        assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
        result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
        assert (await model.ainvoke([asked, reply, result])).content == "It is sunny in Paris"
        streamed = [piece async for piece in model.astream([asked])]
    assert [call["name"] for piece in streamed if isinstance(piece, AIMessageChunk) for call in piece.tool_calls] == [
        "get_weather"
    ]


async def test_it_gets_thoughts_apart(url: str, worker: ScriptedWorker) -> None:
    async with closing(ChatOllama(model="able", base_url=url, reasoning=True)) as model:
        reply = await model.bind_tools([get_weather]).ainvoke("How is the weather?")
    assert reply.additional_kwargs["reasoning_content"] == "They want the weather."


async def test_it_gets_what_a_schema_says(url: str, worker: ScriptedWorker) -> None:
    async with closing(ChatOllama(model="able", base_url=url)) as chat:
        model = chat.with_structured_output(Person, method="json_schema")
        assert await model.ainvoke("Describe a person") == Person(name="Ann", age=7)


async def test_it_embeds(url: str, worker: ScriptedWorker) -> None:
    async with closing(OllamaEmbeddings(model="embedder", base_url=url)) as model:
        vectors = await model.aembed_documents(["a", "b"])
    assert [round(number, 5) for number in vectors[0]] == [3 / 5, 4 / 5]
    assert len(vectors) == 2


async def test_a_stream_it_leaves_is_cancelled(url: str, worker: ScriptedWorker, redis: Redis) -> None:
    async with closing(ChatOllama(model="able", base_url=url)) as model:
        stream = model.astream(ENDLESS)
        async for _ in stream:
            break
        assert isinstance(stream, AsyncGenerator)
        await stream.aclose()
    await until_no_job_is_left(redis)
    await worker.until(lambda: len(worker.cancelled) == 1)
