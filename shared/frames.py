"""Events on their way back: workers publish frames to a gateway's channel, the gateway follows it. No client formats.

A frame holds all events of one engine step for one gateway, so eight users cost one message. It is published, not
stored: a gateway that lost its connection has already told its clients (docs/adr/0005). Frames are numbered, so that
the gateway notices when one is missing or comes twice.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.generation import Event

QUIET_S: Final = 1.0


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """`number` counts the frames of one worker to one gateway, from 1 and without gaps."""

    worker_id: str
    number: int
    events: Sequence[Event]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Frame)


async def publish(redis: Redis, gateway_id: str, frame: Frame) -> None:
    """Send one frame to whoever follows the gateway's channel now.

    Raises: RedisError, OSError (the frame may or may not have arrived).
    """
    await redis.publish(keys.frames(gateway_id), _ENCODER.encode(frame))


async def follow(redis: Redis, gateway_id: str) -> AsyncGenerator[Frame | None, None]:
    """Yield every frame published from the first yield on, in order.

    The first yield is None and says that nothing will be missed any more; later Nones, after QUIET_S without a frame,
    say that the server still answers.
    Raises: RedisError, OSError when the connection is lost; frames published meanwhile are lost, too.
    """
    async with redis.pubsub() as channel:
        await channel.subscribe(keys.frames(gateway_id))
        while True:
            reply: Any = await channel.parse_response(block=False, timeout=QUIET_S)
            if reply is None:
                await channel.ping()
            else:
                yield _DECODER.decode(reply[2]) if reply[0] == b"message" else None
