"""DNS answers are checked each time: an answer that changes after the first look leads nowhere."""

import socket
from collections.abc import Sequence

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.registry.upstream.policy import parse_upstream_hosts
from services.registry.upstream.resolver import CheckedResolver
from shared.errors import UpstreamForbidden


class ScriptedResolver(AbstractResolver):
    """Answers each question with the next list of addresses."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self._answers.pop(0)
        ]

    async def close(self) -> None:
        self._answers.clear()


def checked(*answers: Sequence[str]) -> CheckedResolver:
    return CheckedResolver(ScriptedResolver(*answers), parse_upstream_hosts("hub.inside:5000"), answer_s=5.0)


async def test_a_name_that_moves_to_a_private_address_is_refused() -> None:
    resolver = checked(["1.1.1.1"], ["127.0.0.1"])
    assert [answer["host"] for answer in await resolver.resolve("cdn.example", 443)] == ["1.1.1.1"]
    with pytest.raises(UpstreamForbidden):
        await resolver.resolve("cdn.example", 443)


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(UpstreamForbidden):
        await checked(["1.1.1.1", "10.0.0.1"]).resolve("cdn.example", 443)


async def test_a_listed_host_may_be_inside() -> None:
    resolver = checked(["10.0.0.1"], ["10.0.0.1"])
    assert await resolver.resolve("hub.inside", 5000)
    with pytest.raises(UpstreamForbidden):
        await resolver.resolve("hub.inside", 22)
