"""Events on their way back: workers append frames to a gateway's stream, the gateway follows it. No client formats.

A frame is the msgpack list of all events of one engine step for one gateway, so eight users cost one append.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.generation import Event

FRAMES_MAX: Final = 20_000
FRAMES_TTL_S: Final = 60
_FIELD: Final = b"f"
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[list[Event]] = msgspec.msgpack.Decoder(list[Event])


async def append(redis: Redis, gateway_id: str, events: Sequence[Event], *, expire: bool) -> None:
    """Append one frame. `expire` renews the stream's lifetime and is wanted about once a second, not per frame."""
    fields: Any = {_FIELD: _ENCODER.encode(events)}
    if not expire:
        await redis.xadd(keys.frames(gateway_id), fields, maxlen=FRAMES_MAX, approximate=True)
        return
    async with redis.pipeline(transaction=False) as pipe:
        pipe.xadd(keys.frames(gateway_id), fields, maxlen=FRAMES_MAX, approximate=True)
        pipe.expire(keys.frames(gateway_id), FRAMES_TTL_S)
        await pipe.execute()


async def follow(
    redis: Redis, gateway_id: str, *, block_ms: int, from_start: bool = False
) -> AsyncGenerator[list[Event], None]:
    """Yield the events of every frame in order; an empty list after `block_ms` of silence.

    Begins with the frames appended from now on, or `from_start` with the oldest one kept.
    """
    key = keys.frames(gateway_id)
    newest = [] if from_start else await redis.xrevrange(key, count=1)
    position: bytes | str = newest[0][0] if newest else "0-0"
    while True:
        reply: Any = await redis.xread({key: position}, count=256, block=block_ms)
        if not reply:
            yield []
            continue
        for entry_id, fields in reply[0][1]:
            position = entry_id
            yield _DECODER.decode(fields[_FIELD])
