"""The fair queue on a real server."""

import msgspec
import pytest
from redis.asyncio import Redis

from shared import keys
from shared.cluster_state import GatewayState
from shared.digest import Digest
from shared.errors import QueueFull
from shared.generation import ChatPrompt, GenerationRequest, Message, RequestId
from shared.generation_queue import GenerationQueue, token_cost
from shared.leases import Roster
from shared.options import Options
from shared.redis_client import pending

WEIGHTS = Digest("sha256:" + "a" * 64)
NOW_MS = 1_700_000_000_000


def request(name: str, user: str = "ann") -> GenerationRequest:
    return GenerationRequest(
        request_id=RequestId(name),
        gateway_id="gateway-1",
        model="registry.ollama.ai/library/tiny:latest",
        weights=WEIGHTS,
        prompt=ChatPrompt(messages=(Message("user", "hello"),)),
        options=Options(),
        tenant=user,
        user=user,
        deadline_unix_ms=NOW_MS + 60_000,
    )


@pytest.fixture
async def queue(redis: Redis) -> GenerationQueue:
    await Roster(redis, "gateway", GatewayState).announce("gateway-1", GatewayState(open_requests=0))
    return GenerationQueue(redis)


async def submit(queue: GenerationQueue, name: str, user: str = "ann", *, cost: int = 100, depth_max: int = 10) -> int:
    return await queue.submit(request(name, user), cost=cost, depth_max=depth_max, now_unix_ms=NOW_MS)


async def taken(queue: GenerationQueue) -> str | None:
    job = await queue.take_now(WEIGHTS, "worker-1")
    return None if job is None else job.request_id


async def test_a_smoke_asks_nobody_to_load_its_model_not_even_when_it_was_given_back(queue: GenerationQueue) -> None:
    smoke = msgspec.structs.replace(request("smoke"), is_smoke=True)
    await queue.submit(smoke, cost=100, depth_max=10, now_unix_ms=NOW_MS)
    assert (await queue.length(WEIGHTS), await queue.demand()) == (1, {})
    assert await queue.take_now(WEIGHTS, "worker-1") == smoke
    await queue.give_back(smoke)
    assert (await queue.length(WEIGHTS), await queue.demand()) == (1, {})
    await submit(queue, "one")
    assert await queue.demand() == {WEIGHTS: smoke.model}


async def test_jobs_of_one_user_are_taken_in_order_of_arrival(queue: GenerationQueue) -> None:
    assert [await submit(queue, name) for name in ("one", "two", "three")] == [1, 2, 3]
    assert [await taken(queue) for _ in range(4)] == ["one", "two", "three", None]


async def test_a_second_user_overtakes_the_backlog_of_the_first(queue: GenerationQueue) -> None:
    for index in range(5):
        await submit(queue, f"ann-{index}", "ann")
    await taken(queue)
    await submit(queue, "bob-0", "bob")
    assert await queue.position(RequestId("bob-0"), WEIGHTS) == 1


async def test_a_user_of_double_weight_gets_twice_the_turns(queue: GenerationQueue) -> None:
    for index in range(4):
        await submit(queue, f"heavy-{index}", "heavy", cost=token_cost(100, 2.0))
        await submit(queue, f"light-{index}", "light", cost=token_cost(100, 1.0))
    order = [await taken(queue) for _ in range(6)]
    assert sum(name is not None and name.startswith("heavy") for name in order) == 4


async def test_the_queue_takes_as_many_as_its_limit_and_not_one_more(queue: GenerationQueue, redis: Redis) -> None:
    assert await submit(queue, "one", depth_max=2) == 1
    assert await submit(queue, "two", depth_max=2) == 2
    with pytest.raises(QueueFull) as refused:
        await submit(queue, "three", depth_max=2)
    assert refused.value.message == "server busy, please try again.  maximum pending requests exceeded"
    assert await redis.exists(keys.job("three")) == 0


async def test_a_waiting_job_is_cancelled_without_a_trace(queue: GenerationQueue, redis: Redis) -> None:
    await submit(queue, "one")
    await queue.cancel(RequestId("one"), WEIGHTS)
    assert await taken(queue) is None
    assert await redis.exists(keys.job("one")) == 0


async def test_cancelling_a_running_job_tells_its_worker(queue: GenerationQueue, redis: Redis) -> None:
    await submit(queue, "one")
    assert await taken(queue) == "one"
    await queue.cancel(RequestId("one"), WEIGHTS)
    entries = await redis.xrange(keys.cancels("worker-1"))
    assert [fields for _, fields in entries] == [{b"request": b"one", b"attempt": b"1"}]


async def test_a_job_whose_gateway_is_gone_is_not_given_out(queue: GenerationQueue, redis: Redis) -> None:
    await submit(queue, "one")
    await redis.delete(keys.lease("gateway", "gateway-1"))
    assert await taken(queue) is None


async def test_finishing_charges_the_real_cost(queue: GenerationQueue, redis: Redis) -> None:
    await submit(queue, "one", cost=100)
    job = await queue.take_now(WEIGHTS, "worker-1")
    assert job is not None
    await queue.finish(job, cost=700)
    assert (await pending(redis.hgetall(keys.fair(WEIGHTS))))[b"user:ann"] == b"700"
    assert await redis.exists(keys.job("one")) == 0


async def test_an_earlier_attempt_can_neither_end_nor_stop_a_later_one(queue: GenerationQueue, redis: Redis) -> None:
    await submit(queue, "one")
    first = await queue.take_now(WEIGHTS, "worker-1")
    assert first is not None
    second = msgspec.structs.replace(first, attempt=2)
    await queue.submit(second, cost=1, depth_max=10, now_unix_ms=NOW_MS)
    await queue.finish(first, cost=1)
    assert await redis.exists(keys.job("one")) == 1
    assert await queue.take_now(WEIGHTS, "worker-2") == second
    await queue.cancel(RequestId("one"), WEIGHTS)
    assert await redis.exists(keys.cancels("worker-1")) == 0
    entries = await redis.xrange(keys.cancels("worker-2"))
    assert [fields for _, fields in entries] == [{b"request": b"one", b"attempt": b"2"}]


async def test_demand_names_models_with_waiting_jobs_only(queue: GenerationQueue) -> None:
    await submit(queue, "one")
    assert await queue.demand() == {WEIGHTS: "registry.ollama.ai/library/tiny:latest"}
    await taken(queue)
    assert await queue.demand() == {}


async def test_an_idle_queue_waits_on_its_own_connection_and_can_be_unblocked(
    queue: GenerationQueue, redis: Redis
) -> None:
    async with redis.client() as connection:
        assert await queue.take(WEIGHTS, "worker-1", connection=connection, timeout_s=0.05) is None
        await submit(queue, "one")
        job = await queue.take(WEIGHTS, "worker-1", connection=connection, timeout_s=1)
        assert job is not None
        assert job.request_id == "one"


async def test_a_users_jobs_are_listed_until_each_is_finished_or_withdrawn(queue: GenerationQueue) -> None:
    for name in ("one", "two", "three"):
        await submit(queue, name)
    await submit(queue, "other", "bob")
    assert await taken(queue) == "one"
    await queue.cancel(RequestId("two"), WEIGHTS)
    assert [(job.request_id, job.is_running) for job in await queue.of_user("ann")] == [("one", True), ("three", False)]
    await queue.finish(request("one"), cost=1)
    (left,) = await queue.of_user("ann")
    assert left.request_id == "three"
    assert left.position == await queue.position(RequestId("three"), WEIGHTS)
    await queue.cancel(RequestId("three"), WEIGHTS)
    assert await queue.of_user("ann") == []
