"""Responses that are kept for a while, so that a later request can go on from them. Not HTTP.

Each is kept with its own input and the ids of the responses before it, so a conversation grows by what is said in it
and is read at once. It stays together: going on from a response renews the lives of all before it.
"""

import importlib.resources
from collections.abc import Sequence
from typing import Final, cast

import msgspec
import structlog
from redis.asyncio import Redis

from services.gateway.dialects.responses_items import Item
from services.gateway.redis_guard import redis_guard
from shared import keys
from shared.errors import ParameterInvalid, ResponseUnknown, TooLarge, Unavailable
from shared.redis_client import pending

log = structlog.get_logger("corral.gateway")

TURNS_MAX: Final = 1_000
"""Responses in one conversation; all are read whenever it goes on."""


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is the response as the API shows it, `input` what was new before it, `output` what it brought.

    `earlier` are the ids of the responses that its conversation began with, oldest first.
    """

    body: bytes
    input: tuple[Item, ...]
    output: tuple[Item, ...]
    earlier: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        return (*self.input, *self.output)


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was said before a request: all items, and the ids of the responses they are from."""

    items: tuple[Item, ...] = ()
    response_ids: tuple[str, ...] = ()


class StoredResponses:
    """A user's own; nobody sees another's. Ids must be such as this server gives, so that no key is another's.

    No response that is kept is larger than `bytes_max`, and all that are read at once not larger than `read_bytes_max`.
    Where a user has more than `user_bytes_max`, the longest unused are forgotten.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        kept_s: float,
        bytes_max: int,
        user_bytes_max: int,
        read_bytes_max: int,
        redis_wait_s: float,
    ) -> None:
        self._redis = redis
        self._kept_ms = round(kept_s * 1000)
        self._bytes_max = min(bytes_max, user_bytes_max)
        self._user_bytes_max = user_bytes_max
        self._read_bytes_max = read_bytes_max
        self._redis_wait_s = redis_wait_s
        self._keep = redis.register_script(_script("keep_response"))
        self._forget = redis.register_script(_script("forget_response"))
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(StoredResponse)

    async def keep(self, user: str, response_id: str, response: StoredResponse) -> bool:
        """Whether it is kept. It is not when it is too large or Redis cannot be reached, which is logged."""
        body = self._encoder.encode(response)
        if len(body) > self._bytes_max:
            log.warning("response_not_kept", reason="too large", size_bytes=len(body))
            return False
        limits = (self._kept_ms, self._user_bytes_max)
        try:
            async with redis_guard(self._redis_wait_s):
                await self._keep(
                    keys=_names(user, response_id),
                    args=[response_id, body, *limits, keys.response(user, ""), *response.earlier],
                )
        except Unavailable:
            log.warning("response_not_kept", reason="Redis cannot be reached", size_bytes=len(body))
            return False
        return True

    async def find(self, user: str, response_id: str) -> StoredResponse:
        """Raises: ResponseUnknown, Unavailable."""
        (found,) = await self._found(user, [response_id])
        if found is None:
            raise ResponseUnknown(f"Response with id '{response_id}' not found.")
        return found

    async def past(self, user: str, response_id: str) -> Past:
        """Everything that was said up to the end of a response.

        Raises: ResponseUnknown, also when a part of the conversation was deleted; ParameterInvalid for one that has
            become too long; TooLarge; Unavailable.
        """
        (last,) = await self._found(user, [response_id])
        if last is None:
            raise _previous_unknown(response_id)
        if len(last.earlier) + 1 >= TURNS_MAX:
            raise ParameterInvalid(f"a conversation has at most {TURNS_MAX} responses; begin a new one")
        earlier = await self.before(user, last)
        return Past(
            items=tuple(item for turn in (*earlier, last) for item in turn.items),
            response_ids=(*last.earlier, response_id),
        )

    async def before(self, user: str, response: StoredResponse) -> list[StoredResponse]:
        """The responses that a response's conversation began with.

        Raises: ResponseUnknown, TooLarge, Unavailable.
        """
        found = await self._found(user, response.earlier)
        for response_id, one in zip(response.earlier, found, strict=True):
            if one is None:
                raise _previous_unknown(response_id)
        return [one for one in found if one is not None]

    async def some(self, user: str, response_ids: Sequence[str]) -> list[StoredResponse]:
        """Those of the responses that are kept.

        Raises: TooLarge, Unavailable.
        """
        return [one for one in await self._found(user, response_ids) if one is not None]

    async def delete(self, user: str, response_id: str) -> None:
        """Raises: ResponseUnknown, Unavailable."""
        async with redis_guard(self._redis_wait_s):
            deleted_count = await self._forget(keys=_names(user, response_id), args=[response_id])
        if not deleted_count:
            raise ResponseUnknown(f"Response with id '{response_id}' not found.")

    async def _found(self, user: str, response_ids: Sequence[str]) -> list[StoredResponse | None]:
        if not response_ids:
            return []
        names = [keys.response(user, response_id) for response_id in response_ids]
        async with redis_guard(self._redis_wait_s):
            await self._check_size(names)
            bodies = await pending(self._redis.mget(names))
        return [None if body is None else self._decoder.decode(cast("bytes", body)) for body in bodies]

    async def _check_size(self, names: Sequence[str]) -> None:
        """Raises: TooLarge, before anything is read."""
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.strlen(name)
        size_bytes = sum(await pipe.execute())
        if size_bytes > self._read_bytes_max:
            raise TooLarge(
                f"the responses that this request goes on from have {size_bytes} bytes; "
                f"at most {self._read_bytes_max} are accepted"
            )


def _script(name: str) -> str:
    return importlib.resources.files("services.gateway").joinpath("lua", f"{name}.lua").read_text()


def _names(user: str, response_id: str) -> list[str]:
    """The keys of both scripts."""
    return [keys.response(user, response_id), keys.user_responses(user), keys.response_sizes(user)]


def _previous_unknown(response_id: str) -> ResponseUnknown:
    return ResponseUnknown(f"Previous response with id '{response_id}' not found.")
