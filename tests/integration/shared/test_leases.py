"""Heartbeats on a real server."""

from redis.asyncio import Redis

from shared import keys
from shared.cluster_state import GatewayState
from shared.leases import LEASE_S, Roster
from shared.redis_client import pending


async def test_a_member_is_seen_until_its_lease_ends(redis: Redis) -> None:
    roster = Roster(redis, "gateway", GatewayState)
    await roster.announce("one", GatewayState(open_requests=3))
    await roster.announce("two", GatewayState(open_requests=0))
    assert await roster.members() == {"one": GatewayState(open_requests=3), "two": GatewayState(open_requests=0)}
    assert 0 < await redis.pttl(keys.lease("gateway", "one")) <= LEASE_S * 1000
    await redis.delete(keys.lease("gateway", "one"))
    assert list(await roster.members()) == ["two"]
    assert await pending(redis.smembers(keys.roster("gateway"))) == {b"two"}


async def test_who_withdraws_is_gone_at_once(redis: Redis) -> None:
    roster = Roster(redis, "worker", GatewayState)
    await roster.announce("one", GatewayState(open_requests=0))
    await roster.withdraw("one")
    assert await roster.members() == {}


async def test_an_announcement_says_how_long_ago_and_when_by_the_clock_of_redis(redis: Redis) -> None:
    roster = Roster(redis, "gateway", GatewayState)
    assert await roster.announcements() == {}
    await roster.announce("one", GatewayState(open_requests=3))
    await pending(redis.sadd(keys.roster("gateway"), "gone"))
    announced = await roster.announcements()
    assert set(announced) == {"one"}
    assert announced["one"].payload == GatewayState(open_requests=3)
    assert 0 <= announced["one"].age_ms < 3000
    seconds, microseconds = await redis.time()
    assert 0 <= seconds * 1000 + microseconds // 1000 - announced["one"].redis_unix_ms < 3000
