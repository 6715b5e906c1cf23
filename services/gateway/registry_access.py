"""Who may use the registry protocol, and the tokens that its clients get for their keys.

    API key (Bearer, or the password of Basic) ──────────────┐
    ed25519 signature or API key ──► /v2/token ──► token ────┼──► reads; writes with the role admin
    a blob read in full ──► its own URL with a token ──► ranges of that blob

Tokens name the credential they were made with and end with it, so a revoked key is out at once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.gateway import signatures
from services.gateway.access import FOR_WORKERS, Access, Principal, token_from
from services.gateway.dialects import oci
from services.gateway.key_store import Role
from services.gateway.public_address import Address
from services.gateway.ssh_keys import Signed, parse_signed
from services.gateway.tokens import TOKEN_PREFIX, Grant, Tokens
from shared.errors import Forbidden, Unauthenticated

READING: Final = frozenset({"GET", "HEAD"})


class Challenged(Unauthenticated):
    """No access as things are; `challenge` tells a client's program what to do about it."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class RegistryCall(msgspec.Struct, frozen=True, kw_only=True):
    """A request under `/v2/`, as far as access goes. `url_token` is the secret part of a blob's own URL."""

    method: str
    target: oci.Target
    address: Address
    headers: Mapping[str, str]
    url_token: str = ""


class TokenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a token. `path_and_query` is spelt as the client spelt it, because that is what it signed."""

    address: Address
    path_and_query: str
    headers: Mapping[str, str]
    scopes: Sequence[str]
    ts: str
    nonce: str


class RegistryAccess:
    def __init__(self, access: Access, tokens: Tokens, *, token_life_s: float, blob_url_life_s: float) -> None:
        self._access = access
        self._tokens = tokens
        self.token_life_s = token_life_s
        self._blob_url_life_s = blob_url_life_s

    async def admit(self, call: RegistryCall) -> Principal:
        """The caller, who may do this.

        Raises: Challenged when a key or a wider token is needed, Forbidden when the role is not enough.
        """
        writes = call.method not in READING
        if call.url_token and call.method == "GET" and call.target.blob:
            reader = await self._reader(call.url_token, call.target.blob)
            if reader is not None:
                return reader
        try:
            principal, may_push = await self._caller(call.headers)
        except Unauthenticated as cause:
            raise self._challenged(call, cause.message) from cause
        if principal is None:
            raise self._challenged(call, "this registry needs an API key or an Ollama key that is registered")
        if principal.role is Role.WORKER:
            raise Forbidden(FOR_WORKERS)
        if writes and principal.role is not Role.ADMIN:
            raise Forbidden("changing models needs a key with the role admin")
        if writes and not may_push:
            raise self._challenged(call, "this token is for reading", error="insufficient_scope")
        return principal

    async def token(self, call: TokenCall) -> str:
        """A token for whoever asks, as wide as asked for; how wide the role is shows at each use.

        Raises: Challenged without a key where one is needed, Forbidden for a signature that is not accepted.
        """
        try:
            principal = await self._asking(call)
        except Unauthenticated as cause:
            raise Challenged(cause.message, _BASIC) from cause
        if principal is None:
            raise Challenged("a token needs an API key or an Ollama key that is registered", _BASIC)
        grant = Grant(credential=principal.credential, may_push=oci.wants_to_write(call.scopes))
        return await self._tokens.issue(grant, life_s=self.token_life_s)

    async def blob_token(self, principal: Principal, blob: str) -> str | None:
        """What opens this one blob to requests without a key; None where everything is open anyway."""
        if not self._access.keys_are_required:
            return None
        grant = Grant(credential=principal.credential, blob=blob)
        return await self._tokens.issue(grant, life_s=self._blob_url_life_s)

    async def _reader(self, url_token: str, blob: str) -> Principal | None:
        grant = await self._tokens.find(url_token)
        return await self._access.holder(grant.credential) if grant is not None and grant.blob == blob else None

    async def _caller(self, headers: Mapping[str, str]) -> tuple[Principal | None, bool]:
        """Who calls, and whether what they showed is good for writing.

        Raises: Unauthenticated for what looks like ours and is not, or no longer.
        """
        shown = _shown(headers)
        if shown is None:
            return self._access.nobody, True
        if not shown.startswith(TOKEN_PREFIX):
            return await self._access.by_key(shown) or self._access.nobody, True
        grant = await self._tokens.find(shown)
        principal = None if grant is None or grant.blob else await self._access.holder(grant.credential)
        if grant is None or principal is None:
            raise Unauthenticated("this token has expired or its key was revoked")
        return principal, grant.may_push

    async def _asking(self, call: TokenCall) -> Principal | None:
        signed = parse_signed(call.headers.get("Authorization", ""))
        if signed is not None:
            return await self._signing(call, signed)
        key = _shown(call.headers)
        return (None if key is None else await self._access.by_key(key)) or self._access.nobody

    async def _signing(self, call: TokenCall, signed: Signed) -> Principal | None:
        if not call.address.is_own:
            if not self._access.keys_are_required:
                return self._access.nobody
            raise Forbidden(
                f"this server does not know itself as {call.address.authority}, so it cannot tell that the signature "
                "was meant for it; an operator can add the address, with https:// or http:// in front, to "
                "CORRAL_GATEWAY_PUBLIC_URLS"
            )
        text = signatures.token_text(call.address.url + call.path_and_query)
        principal = await self._access.by_signature(signed, text, call.ts)
        if principal is None or not principal.credential:
            return principal
        if not 1 <= len(call.nonce) <= signatures.NONCE_CHARS_MAX:
            raise Forbidden("the signed request has no nonce of the accepted length")
        if not await self._tokens.is_first_use(call.nonce, signed.key):
            raise Forbidden("this signed request was used before")
        return principal

    def _challenged(self, call: RegistryCall, message: str, *, error: str = "") -> Challenged:
        scope = oci.scope_of(call.target, writes=call.method not in READING)
        return Challenged(message, oci.challenge(call.address.url, call.address.authority, scope, error=error))


_BASIC: Final = 'Basic realm="Corral"'


def _shown(headers: Mapping[str, str]) -> str | None:
    """The key or token a request shows, however its client wraps it."""
    return oci.basic_password(headers.get("Authorization", "")) or token_from(headers)
