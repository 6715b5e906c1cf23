"""What Corral's own routes and the registry protocol answer."""

from typing import Any, Literal

import msgspec

from services.gateway.openapi.bodies.fields import JsonObject


class CorralKey(msgspec.Struct, kw_only=True):
    """`key` is told once, when it is made; an ssh key has a `fingerprint` instead."""

    id: str
    name: str
    role: str
    created_at: str
    key: str = ""
    fingerprint: str = ""
    summarize: bool = False


class CorralKeysReply(msgspec.Struct, kw_only=True):
    keys: list[CorralKey]


class CorralKeysBackup(msgspec.Struct, kw_only=True):
    """Everything that is stored of every key, by the key's hash."""

    keys: dict[str, JsonObject]


class CorralKeyName(msgspec.Struct, kw_only=True):
    id: str
    name: str


class CorralKeysRestored(msgspec.Struct, kw_only=True):
    """What became of each key. `same` were here already; `kept` are here too, differ and were left as they are."""

    added: list[CorralKeyName]
    replaced: list[CorralKeyName]
    same: list[CorralKeyName]
    kept: list[CorralKeyName]


class CorralGeneration(msgspec.Struct, kw_only=True):
    """A generation of the caller's. A waiting one tells what it waits for; its `position` is counted from 1."""

    request_id: str
    model: str
    state: Literal["running", "waiting"]
    position: int = 0
    waiting_s: float = 0.0
    model_state: str = ""
    load_elapsed_s: float = 0.0
    load_expected_s: float = 0.0


class CorralQueueReply(msgspec.Struct, kw_only=True):
    generations: list[CorralGeneration]


class CorralTransfer(msgspec.Struct, kw_only=True):
    """A pull or push under way; counts are bytes."""

    id: str
    kind: str
    model: str
    status: str
    total: int
    completed: int


class CorralTransfersReply(msgspec.Struct, kw_only=True):
    transfers: list[CorralTransfer]


class CorralSmoke(msgspec.Struct, kw_only=True):
    """One smoke generation; the seconds run from its submission. `tokens` were generated, or read to embed them."""

    at: str
    outcome: Literal["ok", "failed", "timeout", "skipped"]
    total_s: float
    first_token_s: float = 0.0
    tokens: int = 0
    worker: str = ""
    error_code: str = ""


class CorralModelSmokes(msgspec.Struct, kw_only=True):
    """The oldest first."""

    model: str
    smokes: list[CorralSmoke]


class CorralSmokesReply(msgspec.Struct, kw_only=True):
    models: list[CorralModelSmokes]


class RegistryProblem(msgspec.Struct, kw_only=True):
    code: str
    message: str
    detail: Any = None


class RegistryErrors(msgspec.Struct, kw_only=True):
    errors: list[RegistryProblem]


class RegistryTokenReply(msgspec.Struct, kw_only=True):
    token: str
    access_token: str
    expires_in: int


class RegistryCatalogue(msgspec.Struct, kw_only=True):
    repositories: list[str] | None


class RegistryTags(msgspec.Struct, kw_only=True):
    name: str
    tags: list[str] | None


class RegistryManifest(msgspec.Struct, kw_only=True):
    schemaVersion: int  # noqa: N815  the protocol's name
    config: JsonObject = {}
    layers: list[JsonObject] = []
