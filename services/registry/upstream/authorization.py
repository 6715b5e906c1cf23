"""Being let in at one registry: answers its challenges and keeps the token for as long as a pull or push takes."""

import asyncio
import base64
import secrets
from collections.abc import Iterable
from typing import Final

from yarl import URL

from services.registry.upstream.challenge import (
    ACCESS_DENIED,
    BearerChallenge,
    Credentials,
    check_realm,
    parse_challenges,
    read_token,
    signed_bytes,
    token_url,
)
from services.registry.upstream.exchange import Exchange, read_at_most, refusal
from services.registry.upstream.signing import SigningKey
from shared.clock import Clock
from shared.errors import UpstreamRefused

TOKEN_BYTES_MAX: Final = 1 << 20
NONCE_BYTES: Final = 16


class Authorization:
    """`header` is what the registry is shown, None until it asks.

    With credentials for the registry, they get the token; else the key does, when there is one; else nobody in
    particular asks for it, which is enough for what is public.
    """

    def __init__(
        self,
        exchange: Exchange,
        registry: URL,
        *,
        credentials: Credentials | None,
        key: SigningKey | None,
        clock: Clock,
    ) -> None:
        self.header: str | None = None
        self._exchange = exchange
        self._registry = registry
        self._credentials = credentials
        self._key = key
        self._clock = clock
        self._renewing = asyncio.Lock()

    async def answer(self, challenges: Iterable[str], *, refused: str | None) -> None:
        """Get a header that may do better than the `refused` one. Of several that ask at once, one goes.

        Raises: UpstreamRefused when there is nothing better, UpstreamForbidden, UpstreamFailed.
        """
        async with self._renewing:
            if self.header != refused:
                return
            challenge = parse_challenges(challenges)
            if isinstance(challenge, BearerChallenge):
                self.header = f"Bearer {await self._token(challenge)}"
            elif challenge is not None and self._credentials is not None and self._credentials.header != refused:
                self.header = self._credentials.header
            else:
                raise UpstreamRefused(ACCESS_DENIED)

    async def _token(self, challenge: BearerChallenge) -> str:
        url, authorization = self._token_request(challenge)
        response = await self._exchange.follow("GET", url, {}, authorization=authorization)
        try:
            if response.status == 401:
                raise UpstreamRefused(ACCESS_DENIED)
            if response.status != 200:
                raise await refusal(response)
            return read_token(await read_at_most(response, TOKEN_BYTES_MAX))
        finally:
            response.release()

    def _token_request(self, challenge: BearerChallenge) -> tuple[URL, str | None]:
        if self._credentials is not None:
            return token_url(self._registry, challenge, {}), self._credentials.header
        if self._key is None:
            return token_url(self._registry, challenge, {}), None
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(NONCE_BYTES)).rstrip(b"=").decode()
        url = token_url(self._registry, challenge, {"ts": str(self._clock.unix_ms() // 1000), "nonce": nonce})
        check_realm(self._registry, url)
        return url, self._key.header(signed_bytes(url))
