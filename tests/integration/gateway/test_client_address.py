"""Whom the log names as the client, with proxies in front of the gateway and without."""

import aiohttp
import pytest
import structlog
from redis.asyncio import Redis

from integration.gateway.setup import serving, settings
from services.gateway.app import StartRefused, gateway


@pytest.mark.parametrize(
    ("trusted_proxies", "wanted"), [("", "127.0.0.1"), ("127.0.0.0/8, ::1", "192.0.2.7"), ("10.0.0.0/8", "127.0.0.1")]
)
async def test_a_claim_counts_only_from_a_proxy_of_ours(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, trusted_proxies: str, wanted: str
) -> None:
    claims = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "192.0.2.7")]
    with structlog.testing.capture_logs() as logged:
        async with (
            serving(settings(redis_url, trusted_proxies=trusted_proxies)) as url,
            http.get(f"{url}/api/version", headers=claims) as response,
        ):
            assert response.status == 200
    (line,) = [entry for entry in logged if entry["event"] == "request_served"]
    assert line["client"] == wanted


async def test_a_gateway_does_not_start_with_a_proxy_that_is_no_network(redis: Redis, redis_url: str) -> None:
    with pytest.raises(StartRefused, match=r"CORRAL_GATEWAY_TRUSTED_PROXIES: 'nginx'"):
        async with gateway(settings(redis_url, trusted_proxies="nginx")):
            pass
