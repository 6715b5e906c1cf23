"""Who is asking and what they may do: keys and signatures to Principals, and the rules over roles. No HTTP."""

import ipaddress
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from services.gateway import signatures
from services.gateway.forwarded_users import ForwardedUser, forwarded_user
from services.gateway.key_store import KEY_PREFIX, KeyRecord, KeyStore, Role, credential_of, hash_of
from services.gateway.ssh_keys import Signed, parse_signed
from shared.clock import Clock
from shared.errors import CorralError, Forbidden, Unauthenticated
from shared.settings import Secret

KEY_HEADER_CHARS_MAX: Final = 256


_REGISTER: Final = "'corral keys add-ssh NAME ~/.ollama/id_ed25519.pub'"
_OLLAMA_HINT: Final = (
    f"for the ollama command line set OLLAMA_AUTH=1, after an admin registered its key with {_REGISTER}"
)


class Need(StrEnum):
    """What a route asks of its caller."""

    NOTHING = "nothing"
    KEY = "key"
    ADMIN = "admin"
    WEIGHTS = "weights"
    """What a worker on another machine reads: any blob, by its digest."""
    REGISTRY = "registry"
    """What the registry protocol asks: a key to read, the role admin to write, by its own rules."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a request. Cached prefixes stay within `tenant`; the fair queue charges `user`.

    `credential` is the key's place in the store, so that what is made with a key ends with it; empty without a key.
    Where the key `summarizes`, old turns of long conversations are replaced by a summary of them.
    """

    tenant: str
    user: str
    name: str
    role: Role
    weight: float = 1.0
    credential: str = ""
    summarizes: bool = False


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request says who sends it; `ts` is the query's moment of signing."""

    method: str
    path: str
    headers: Mapping[str, str]
    ts: str = ""


FOR_WORKERS: Final = "this API key is a worker's: it reads weights and nothing else"

LOCAL_ADMIN: Final = Principal(tenant="local", user="local", name="local", role=Role.ADMIN)
BOOTSTRAP_ADMIN: Final = Principal(tenant="admin", user="admin", name="admin_key", role=Role.ADMIN)
CONFIGURED_SERVICE: Final = Principal(tenant="service", user="service", name="service_key", role=Role.SERVICE)


def token_from(headers: Mapping[str, str]) -> str | None:
    """The API key a request carries: a bearer token, or Anthropic's header."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key", "").strip() or None


def refusal(principal: Principal | None, need: Need, *, is_native_api: bool) -> CorralError | None:
    """Why this caller may not use a route, or None.

    A missing key is 403 in Ollama's API, because its command line answers every 401 with a sign-in to ollama.com. The
    command line cannot send an API key, so it is told what it can do.
    """
    if need is Need.NOTHING:
        return None
    if principal is None:
        text = "this server needs an API key: send it as 'Authorization: Bearer <key>'"
        return Forbidden(f"{text}; {_OLLAMA_HINT}") if is_native_api else Unauthenticated(text)
    if need is Need.WEIGHTS:
        may_read = principal.role in (Role.ADMIN, Role.WORKER)
        return None if may_read else Forbidden("reading blobs here needs an API key with the role worker")
    if principal.role is Role.WORKER:
        return Forbidden(FOR_WORKERS)
    if need is Need.ADMIN and principal.role is not Role.ADMIN:
        return Forbidden("managing models and keys needs an API key with the role admin")
    return None


def start_problem(*, host: str, require_keys: bool, admin_key_is_set: bool, keys_count: int) -> str | None:
    """Why the gateway must not start with these settings, or None."""
    if not require_keys and not is_loopback(host):
        return (
            f"listening on {host} without API keys would let everyone in: set CORRAL_GATEWAY_REQUIRE_KEYS=true, "
            "or listen on 127.0.0.1"
        )
    if require_keys and not admin_key_is_set and keys_count == 0:
        return (
            "API keys are required but there are none: set CORRAL_GATEWAY_ADMIN_KEY (or CORRAL_GATEWAY_ADMIN_KEY_FILE) "
            "to a long random text and make keys with it at /api/keys"
        )
    return None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Turns what a request carries into a Principal."""

    def __init__(
        self,
        store: KeyStore,
        clock: Clock,
        *,
        admin_key: Secret,
        service_key: Secret,
        require_keys: bool,
        forwarded_user_secret: Secret,
    ) -> None:
        self._store = store
        self._clock = clock
        self._forwarded_user_secret = forwarded_user_secret
        self._configured = _configured(((admin_key, BOOTSTRAP_ADMIN), (service_key, CONFIGURED_SERVICE)))
        self.keys_are_required = require_keys

    @property
    def nobody(self) -> Principal | None:
        """Who sends a request that names nobody: None where a key is required."""
        return None if self.keys_are_required else LOCAL_ADMIN

    async def principal(self, call: Call) -> Principal | None:
        """The caller of the API, or the user whom a service calls for; None where a key is required and none was sent.

        Raises: Unauthenticated for one of our keys that is unknown or revoked, even where keys are optional;
            Forbidden for a signature that is not accepted.
        """
        caller = await self._caller(call)
        if caller is None or caller.role is not Role.SERVICE:
            return caller
        now_unix_s = self._clock.unix_ms() / 1000
        user = forwarded_user(call.headers, self._forwarded_user_secret, now_unix_s=now_unix_s)
        return caller if user is None else _acting_for(caller, user)

    async def _caller(self, call: Call) -> Principal | None:
        token = token_from(call.headers)
        known = None if token is None else await self.by_key(token)
        if known is not None:
            return known
        signed = parse_signed(call.headers.get("Authorization", ""))
        if signed is None:
            return self.nobody
        return await self.by_signature(signed, signatures.command_line_text(call.method, call.path, call.ts), call.ts)

    async def by_key(self, key: str) -> Principal | None:
        """Whose API key this is; None for a text that is none of ours.

        Raises: Unauthenticated for one of ours that is unknown or revoked.
        """
        if len(key) > KEY_HEADER_CHARS_MAX:
            return None
        credential = hash_of(key)
        # How long a look-up takes tells at most of the hash, from which no key is found.
        if (configured := self._configured.get(credential)) is not None:
            return configured
        if not key.startswith(KEY_PREFIX):
            return None
        record = await self._store.at(credential)
        if record is None:
            raise Unauthenticated("this API key is not known or was revoked")
        return _principal(record, credential)

    async def by_signature(self, signed: Signed, text: bytes, ts: str) -> Principal | None:
        """Who signed `text` at the moment `ts`; a stranger is nobody in particular.

        Raises: Forbidden, which is what Ollama's command line shows: a 401 makes it ask for a sign-in elsewhere.
        """
        credential = credential_of(signed.key)
        record = await self._store.at(credential)
        if record is None:
            if self.keys_are_required:
                raise Forbidden(
                    f"this server does not know the key {signed.key.fingerprint}; an admin can register it with "
                    f"{_REGISTER}"
                )
            return self.nobody
        if not signed.key.has_signed(text, signed.signature):
            raise Forbidden("the signature of this request is not the key's")
        problem = signatures.age_problem(ts, now_unix_ms=self._clock.unix_ms())
        if problem is not None:
            raise Forbidden(problem)
        return _principal(record, credential)

    async def holder(self, credential: str) -> Principal | None:
        """Who holds a credential now; None when its key was revoked. Empty is whoever names nobody."""
        if not credential:
            return self.nobody
        if (configured := self._configured.get(credential)) is not None:
            return configured
        record = await self._store.at(credential)
        return None if record is None else _principal(record, credential)


def _configured(keys: Iterable[tuple[Secret, Principal]]) -> dict[str, Principal]:
    """Whose the keys of the configuration are, by credential; one that is set twice is the last one's."""
    known = ((hash_of(key.reveal()), holder) for key, holder in keys if key)
    return {credential: msgspec.structs.replace(holder, credential=credential) for credential, holder in known}


def _acting_for(service: Principal, user: ForwardedUser) -> Principal:
    """The user of a service: with the service's rights, and a tenant and a place in the queue of their own.

    No key's id has a slash, so a user is never taken for another key or another service's user.
    """
    own = f"{service.user}/{user.id}"
    return msgspec.structs.replace(service, tenant=own, user=own, name=user.name)


def _principal(record: KeyRecord, credential: str) -> Principal:
    return Principal(
        tenant=record.id,
        user=record.id,
        name=record.name,
        role=record.role,
        weight=record.weight,
        credential=credential,
        summarizes=record.summarizes,
    )
