"""What the tests of the door to other registries begin with."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from services.registry.upstream.challenge import Credentials
from services.registry.upstream.client import Upstream, UpstreamLimits
from services.registry.upstream.policy import parse_upstream_hosts
from services.registry.upstream.repository import Repository
from services.registry.upstream.signing import SigningKey
from shared.digest import Digest
from shared.model_name import ModelName, parse_model_name

CONNECT_S = 5.0
STALL_S = 5.0
PART_BYTES = 64 << 10


def upstream_to(
    *hosts: str,
    credentials: Mapping[str, Credentials | None] | None = None,
    key: SigningKey | None = None,
    connect_s: float = CONNECT_S,
    stall_s: float = STALL_S,
    part_bytes: int = PART_BYTES,
) -> Upstream:
    """A door that may be used for these hosts, whatever their addresses."""
    limits = UpstreamLimits(connect_s=connect_s, stall_s=stall_s, part_bytes=part_bytes, retry_pause_s=0.0)
    return Upstream(parse_upstream_hosts(",".join(hosts)), limits, credentials=credentials or {}, key=key)


def model_at(host: str) -> ModelName:
    return parse_model_name(f"{host}/team/model:v1")


@contextlib.asynccontextmanager
async def repository_at(host: str, upstream: Upstream | None = None) -> AsyncIterator[Repository]:
    """One model's repository there, over plain http."""
    async with upstream or upstream_to(host) as door, door.repository(model_at(host), insecure=True) as repository:
        yield repository


async def read_range(repository: Repository, digest: Digest, start: int, end: int) -> bytes:
    async with repository.blob_range(digest, start, end) as pieces:
        return b"".join([piece async for piece in pieces])
