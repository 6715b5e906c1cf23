"""Events on their way back: workers publish frames to a gateway's channel, the gateway follows it. No client formats.

A frame is the msgpack list of all events of one engine step for one gateway, so eight users cost one message. It is
published, not stored: a gateway that lost its connection has already told its clients (docs/adr/0005).
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.generation import Event

QUIET_S: Final = 1.0
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[list[Event]] = msgspec.msgpack.Decoder(list[Event])


async def publish(redis: Redis, gateway_id: str, events: Sequence[Event]) -> None:
    """Send one frame to whoever follows the gateway's channel now.

    Raises: RedisError, OSError (the frame may or may not have arrived).
    """
    await redis.publish(keys.frames(gateway_id), _ENCODER.encode(events))


async def follow(redis: Redis, gateway_id: str) -> AsyncGenerator[list[Event], None]:
    """Yield the events of every frame published from the first yield on, in order.

    The first yield is empty and says that nothing will be missed any more; later empty ones, after QUIET_S without a
    frame, say that the server still answers.
    Raises: RedisError, OSError when the connection is lost; frames published meanwhile are lost, too.
    """
    async with redis.pubsub() as channel:
        await channel.subscribe(keys.frames(gateway_id))
        while True:
            reply: Any = await channel.parse_response(block=False, timeout=QUIET_S)
            if reply is None:
                await channel.ping()
            else:
                yield _DECODER.decode(reply[2]) if reply[0] == b"message" else []
