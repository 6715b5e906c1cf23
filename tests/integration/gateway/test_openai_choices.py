"""OpenAI's text completions, and several answers to one request, through the official client and the real queue."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, Stage, say
from integration.gateway.setup import TINY, serving, settings, until_no_job_is_left
from shared.errors import ModelLoadFailed
from shared.generation import ChatPrompt, InsertPrompt, Message, Piece, RawPrompt, Sampling, TokenLogprob
from shared.model_index import ModelIndex

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def client(gateway_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="anything", max_retries=0) as client:
        yield client


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    """Answers with the seed of each job."""

    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say(f"seed {stage.request.options.seed}", "!")
        await stage.finish()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        yield worker


async def test_a_prompt_is_completed_at_once(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    reply = await client.completions.create(model="tiny", prompt="Hi", max_tokens=9, seed=3, stop=["END"])
    assert (reply.object, reply.id[:5], reply.model) == ("text_completion", "cmpl-", "tiny")
    assert [(one.index, one.text, one.finish_reason) for one in reply.choices] == [(0, "seed 3!", "stop")]
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (7, 2, 9)
    job = worker.requests[0]
    assert isinstance(job.prompt, ChatPrompt)
    assert job.prompt.messages == (Message("user", "Hi"),)
    assert (job.options.num_predict, job.options.temperature, job.options.stop) == (9, 1.0, ("END",))


async def test_a_completion_streams_and_ends_with_the_usage_that_was_asked_for(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    stream = await client.completions.create(
        model="tiny", prompt="Hi", seed=3, echo=True, stream=True, stream_options={"include_usage": True}
    )
    *parts, usage = [chunk async for chunk in stream]
    assert [part.choices[0].text for part in parts] == ["Hiseed 3", "!", ""]
    assert [part.choices[0].finish_reason for part in parts] == [None, None, "stop"]
    assert usage.usage is not None
    assert (usage.choices, usage.usage.total_tokens) == ([], 9)


async def test_many_answers_to_a_large_prompt_are_refused(redis: Redis, redis_url: str, worker: ScriptedWorker) -> None:
    await ModelIndex(redis).publish([TINY])
    long = "a" * 3000
    async with (
        serving(settings(redis_url, body_bytes_max=4096)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client,
    ):
        assert len((await client.completions.create(model="tiny", prompt=long, n=4)).choices) == 4
        for refused in (
            client.completions.create(model="tiny", prompt=long, n=8),
            client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": long}], n=8),
        ):
            with pytest.raises(openai.BadRequestError, match="ask for fewer answers at once"):
                await refused
    assert len(worker.requests) == 4


async def test_every_prompt_of_a_list_has_its_own_answers(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    reply = await client.completions.create(model="tiny", prompt=["a", "b"], n=2, seed=5, echo=True)
    assert [(one.index, one.text) for one in reply.choices] == [
        (0, "aseed 5!"),
        (1, "aseed 6!"),
        (2, "bseed 5!"),
        (3, "bseed 6!"),
    ]
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (14, 8)
    assert len({job.request_id for job in worker.requests}) == 4


async def test_tokens_reach_the_worker_as_they_are(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    await client.completions.create(model="tiny", prompt=[[1, 2], [3]])
    assert {job.prompt for job in worker.requests} == {RawPrompt(token_ids=(1, 2)), RawPrompt(token_ids=(3,))}


async def test_the_choices_of_a_chat_stream_with_their_indices(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    stream = await client.chat.completions.create(
        model="tiny", messages=HELLO, n=3, seed=1, stream=True, stream_options={"include_usage": True}
    )
    texts = {0: "", 1: "", 2: ""}
    reasons: dict[int, str | None] = {}
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            reasons[choice.index] = choice.finish_reason
        last = chunk
    assert texts == {0: "seed 1!", 1: "seed 2!", 2: "seed 3!"}
    assert reasons == {0: "stop", 1: "stop", 2: "stop"}
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (7, 6)


async def test_the_choices_of_a_chat_come_in_order(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    reply = await client.chat.completions.create(model="tiny", messages=HELLO, n=2, seed=1)
    assert [(one.index, one.message.content) for one in reply.choices] == [(0, "seed 1!"), (1, "seed 2!")]


@pytest.mark.parametrize("streams", [True, False])
async def test_a_client_that_leaves_ends_all_its_choices(
    client: openai.AsyncOpenAI, redis: Redis, redis_url: str, streams: bool
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        await asyncio.Event().wait()

    async def ask() -> None:
        reply = await client.chat.completions.create(model="tiny", messages=HELLO, n=3, stream=streams)
        if isinstance(reply, openai.AsyncStream):
            [chunk async for chunk in reply]

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        asking = asyncio.create_task(ask())
        await worker.until(lambda: len(worker.requests) == 3)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await worker.until(lambda: len(worker.cancelled) == 3)
        await until_no_job_is_left(redis)


async def test_one_choice_that_fails_fails_the_reply_and_ends_the_others(
    client: openai.AsyncOpenAI, redis: Redis, redis_url: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        if stage.request.request_id.endswith("-1"):
            await stage.fail(ModelLoadFailed("it does not fit"))
        else:
            await asyncio.Event().wait()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        with pytest.raises(openai.InternalServerError, match="it does not fit"):
            await client.chat.completions.create(model="tiny", messages=HELLO, n=2)
        await worker.until(lambda: len(worker.cancelled) == 1)
        await until_no_job_is_left(redis)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"suffix": "b"}, "does not support insert"),
        ({"logprobs": 6}, "logprobs must be between 0 and 5"),
        ({"logprobs": 1, "echo": True}, "a prompt's log-probabilities are not computed"),
        ({"n": 0}, "n must be at least 1"),
        ({"best_of": 3}, "best_of must equal n: answers are not ranked"),
        ({"prompt": ["a"] * 5}, "this request asks for 5 answers; at most 4 are given at once"),
    ],
)
async def test_what_cannot_be_served_is_refused(
    redis: Redis, redis_url: str, fields: dict[str, object], text: str
) -> None:
    await ModelIndex(redis).publish([TINY])
    async with (
        serving(settings(redis_url, choices_max=4)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client,
    ):
        with pytest.raises(openai.BadRequestError, match=text):
            await client.completions.create(model="tiny", prompt="a", extra_body=fields)


async def test_a_queue_with_no_room_for_all_choices_takes_none(redis: Redis, redis_url: str) -> None:
    await ModelIndex(redis).publish([TINY])
    async with (
        serving(settings(redis_url, queue_depth_max=2)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError, match="server busy"):
            await client.chat.completions.create(model="tiny", messages=HELLO, n=3)
        await until_no_job_is_left(redis)


async def test_an_empty_prompt_only_loads_the_model(client: openai.AsyncOpenAI, redis: Redis, redis_url: str) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("unused")).running():
        reply = await client.completions.create(model="tiny", prompt="")
    assert [(str(one.finish_reason), one.text) for one in reply.choices] == [("load", "")]


async def test_a_gap_between_two_texts_reaches_the_worker(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, redis: Redis
) -> None:
    template = "{{ .Prompt }}<gap>{{ .Suffix }}"
    coder = msgspec.structs.replace(model_entry("coder", capabilities=("completion", "insert")), template=template)
    await ModelIndex(redis).publish([coder])
    await client.completions.create(model="coder", prompt="def f():", suffix="return x")
    assert worker.requests[0].prompt == InsertPrompt(before="def f():", after="return x", template=template)


async def test_log_probabilities_of_a_text_have_their_older_form(
    client: openai.AsyncOpenAI, redis: Redis, redis_url: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        likely = TokenLogprob(b"!", -0.5)
        await stage.tell(
            Piece("Hi", logprobs=(TokenLogprob(b"Hi", -0.25, (likely,)),)),
            Piece("!", logprobs=(likely,)),
        )
        await stage.finish()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        whole = await client.completions.create(model="tiny", prompt="a", logprobs=1, logit_bias={"5": -100})
        stream = await client.completions.create(model="tiny", prompt="a", logprobs=1, stream=True)
        parts = [chunk.choices[0].logprobs async for chunk in stream]
    assert worker.requests[0].sampling == Sampling(top_logprobs=1, logit_bias={5: -100.0})
    told = whole.choices[0].logprobs
    assert told is not None
    assert (told.tokens, told.token_logprobs, told.text_offset) == (["Hi", "!"], [-0.25, -0.5], [0, 2])
    assert told.top_logprobs == [{"!": -0.5, "Hi": -0.25}, {"!": -0.5}]
    assert [part and part.text_offset for part in parts] == [[0], [2], None]


async def test_a_model_that_can_do_without_thinking_completes_without_it(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, redis: Redis
) -> None:
    await ModelIndex(redis).publish([model_entry("thinker", capabilities=("completion", "thinking"))])
    await client.completions.create(model="thinker", prompt="Hi")
    prompt = worker.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.think is False
