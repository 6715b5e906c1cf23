"""Keys that summarize: old turns give way to a summary, told in every dialect, made once, and never anybody else's."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.setup import TINY, serving, settings, until_no_job_is_left
from services.gateway.access import LOCAL_ADMIN
from services.gateway.key_store import KeyStore, Role
from services.gateway.summaries import FAILURE_LIFE_S
from shared import keys
from shared.clock import SystemClock
from shared.errors import RunnerDied
from shared.generation import ChatPrompt, GenerationRequest
from shared.model_index import ModelIndex

CONTEXT_TOKENS = 100
HEARTBEAT_S = 0.05


def words_of(request: GenerationRequest) -> int:
    assert isinstance(request.prompt, ChatPrompt)
    return sum(len(message.content.split()) for message in request.prompt.messages)


def is_summary(request: GenerationRequest) -> bool:
    assert isinstance(request.prompt, ChatPrompt)
    return "short, exact summaries" in request.prompt.messages[0].content


class Model:
    """A play in which every word is a token, and summaries are numbered."""

    def __init__(self) -> None:
        self.fails_to_summarize = False
        self.says_nothing = False
        self.may_summarize = asyncio.Event()
        self.may_summarize.set()
        self.counted: list[GenerationRequest] = []
        self.summaries: list[GenerationRequest] = []
        self.answered: list[GenerationRequest] = []

    async def __call__(self, stage: Stage) -> None:
        request = stage.request
        await stage.start()
        if request.count_only:
            self.counted.append(request)
            await stage.count(words_of(request), context_tokens=CONTEXT_TOKENS)
        elif is_summary(request):
            self.summaries.append(request)
            await self.may_summarize.wait()
            if self.fails_to_summarize:
                await stage.fail(RunnerDied("it crashed"))
                return
            await stage.say("\n" if self.says_nothing else f" SUMMARY{len(self.summaries)} ")
            await stage.finish()
        else:
            self.answered.append(request)
            await stage.say("ok")
            await stage.finish()


class Client:
    """Chats with a key of its own; `turns` are two messages each, of ten words."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url
        self.headers = {"Authorization": f"Bearer {key}"}

    async def chat(
        self, turns: int, *, path: str = "/api/chat", stream: bool = False, **more: object
    ) -> aiohttp.ClientResponse:
        asked = {"model": "tiny", "messages": conversation(turns), "stream": stream, "max_tokens": 9, **more}
        response = await self._session.post(f"{self._url}{path}", json=asked, headers=self.headers)
        assert response.status == 200, await response.text()
        await response.read()
        return response


def conversation(turns: int) -> list[dict[str, str]]:
    said = [(role, f"{role} {turn} " + "word " * 8) for turn in range(turns) for role in ("user", "assistant")]
    return [{"role": role, "content": text} for role, text in (*said, ("user", "and now"))]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def url(redis: Redis, redis_url: str, model: Model) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY])
    async with (
        serving(settings(redis_url, heartbeat_s=HEARTBEAT_S)) as url,
        ScriptedWorker(redis, redis_url, WEIGHTS, play=model).running(),
    ):
        yield url


async def client(redis: Redis, http: aiohttp.ClientSession, url: str, *, summarizes: bool = True) -> Client:
    _, key = await KeyStore(redis, SystemClock()).create("ann", Role.USER, summarizes=summarizes)
    return Client(http, url, key)


def contents(request: GenerationRequest) -> list[str]:
    assert isinstance(request.prompt, ChatPrompt)
    return [" ".join(message.content.split()[:2]) for message in request.prompt.messages]


async def test_a_long_chat_is_answered_from_a_summary_and_its_last_turns(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    response = await (await client(redis, http, url)).chat(5)
    assert response.headers["X-Corral-Truncated"] == "summarized=7"
    assert (await response.json())["summarized_messages_count"] == 7
    (answered,) = model.answered
    assert contents(answered) == ["Summary of", "assistant 3", "user 4", "assistant 4", "and now"]
    assert isinstance(answered.prompt, ChatPrompt)
    assert answered.prompt.messages[0].content.endswith("SUMMARY2")
    for summary in model.summaries:
        assert words_of(summary) < CONTEXT_TOKENS
        assert (summary.user, summary.tenant, summary.truncate) == (answered.user, answered.tenant, False)
    await until_no_job_is_left(redis)


async def test_a_chat_with_room_left_stays_as_it_is(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    response = await (await client(redis, http, url)).chat(3)
    assert "X-Corral-Truncated" not in response.headers
    assert len(contents(model.answered[0])) == 7
    assert model.summaries == []


async def test_other_keys_do_not_summarize(url: str, redis: Redis, http: aiohttp.ClientSession, model: Model) -> None:
    await (await client(redis, http, url, summarizes=False)).chat(5)
    assert (len(contents(model.answered[0])), model.summaries) == (11, [])
    assert not LOCAL_ADMIN.summarizes


async def test_the_list_of_keys_tells_which_of_them_summarize(url: str, http: aiohttp.ClientSession) -> None:
    wishes: dict[str, dict[str, bool]] = {"ann": {"summarize": True}, "bob": {}}
    for name, wish in wishes.items():
        async with http.post(f"{url}/api/keys", json={"name": name, **wish}) as response:
            assert response.status == 200
    async with http.get(f"{url}/api/keys") as response:
        listed = (await response.json())["keys"]
    assert {key["name"]: key.get("summarize") for key in listed} == {"ann": True, "bob": None}


async def test_a_chat_that_grows_is_summarized_from_where_its_last_summary_ends(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    ann = await client(redis, http, url)
    await ann.chat(5)
    made_count = len(model.summaries)
    await ann.chat(6)
    assert len(model.summaries) == made_count, "the first summary was good enough"
    assert contents(model.answered[1])[:2] == ["Summary of", "assistant 3"]
    await ann.chat(8)
    told = model.summaries[made_count].prompt
    assert isinstance(told, ChatPrompt)
    assert f"SUMMARY{made_count}" in told.messages[1].content
    assert "user 3" not in told.messages[1].content
    assert "assistant 3" in told.messages[1].content


async def test_a_summary_never_serves_another_tenant(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    await (await client(redis, http, url)).chat(5)
    await (await client(redis, http, url)).chat(5)
    first, second = model.answered
    assert isinstance(second.prompt, ChatPrompt)
    assert len(model.summaries) == 4
    assert first.tenant != second.tenant
    assert second.prompt.messages[0].content.endswith("SUMMARY4")


async def test_a_summary_that_fails_leaves_the_chat_to_its_dialects_own_rule(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    model.fails_to_summarize = True
    response = await (await client(redis, http, url)).chat(5)
    assert "X-Corral-Truncated" not in response.headers
    assert len(contents(model.answered[0])) == 11


@pytest.mark.parametrize("failure", ["fails_to_summarize", "says_nothing"])
async def test_a_chat_whose_summary_failed_is_left_alone_for_a_while(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model, failure: str
) -> None:
    setattr(model, failure, True)
    ann = await client(redis, http, url)
    for turns in (5, 5, 6):
        response = await ann.chat(turns)
        assert "X-Corral-Truncated" not in response.headers
    assert len({summary.request_id for summary in model.summaries}) == 1
    (mark,) = await redis.keys(keys.summary("*"))
    assert 0 < await redis.pttl(mark) <= FAILURE_LIFE_S * 1000
    setattr(model, failure, False)
    await redis.delete(mark)
    assert (await ann.chat(6)).headers["X-Corral-Truncated"].startswith("summarized=")


async def test_a_summary_still_serves_when_the_one_after_it_failed(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    ann = await client(redis, http, url)
    await ann.chat(5)
    model.fails_to_summarize = True
    assert "X-Corral-Truncated" not in (await ann.chat(8)).headers
    assert (await ann.chat(6)).headers["X-Corral-Truncated"] == "summarized=7"


async def test_how_long_the_model_stays_is_decided_by_the_answer_and_not_on_the_way_to_it(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    await (await client(redis, http, url)).chat(5, keep_alive=0)
    assert (len(model.counted), len(model.summaries)) == (1, 2)
    assert {request.keep_alive_s for request in (*model.counted, *model.summaries)} == {None}
    assert [request.keep_alive_s for request in model.answered] == [0]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/v1/messages"])
async def test_every_dialects_stream_tells_of_the_summary(
    url: str, redis: Redis, http: aiohttp.ClientSession, path: str
) -> None:
    response = await (await client(redis, http, url)).chat(5, path=path, stream=True)
    assert response.headers["X-Corral-Truncated"] == "summarized=7"
    assert '"summarized_messages_count":7' in await response.text()


async def test_a_stream_stays_alive_while_its_summary_is_written_and_may_end_there(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    model.may_summarize.clear()
    ann = await client(redis, http, url)
    asked = {"model": "tiny", "messages": conversation(5)}
    async with http.post(f"{url}/api/chat", json=asked, headers=ann.headers) as response:
        lines = [json.loads(await response.content.readline()) for _ in range(2)]
        assert [line["done"] for line in lines] == [False, False]
        assert len(model.summaries) == 1
        response.close()
    await until_no_job_is_left(redis)
    assert model.answered == []


async def test_what_fails_after_the_first_sign_of_life_is_the_streams_last_line(
    url: str, redis: Redis, http: aiohttp.ClientSession, model: Model
) -> None:
    model.may_summarize.clear()
    ann = await client(redis, http, url)
    asked = {"model": "tiny", "messages": conversation(5)}
    async with http.post(f"{url}/api/chat", json=asked, headers=ann.headers) as response:
        await response.content.readline()
        await redis.set(keys.queue(WEIGHTS), "no queue any more")
        model.may_summarize.set()
        last = json.loads((await response.text()).splitlines()[-1])
    assert "error" in last
