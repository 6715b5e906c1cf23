"""The registry protocol as far as access goes: paths, scopes, credentials, challenges, errors. Pure.

Source: OCI distribution specification 1.1; Docker's token authentication; what Ollama's client insists on in each.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from shared.errors import ErrorInfo, Kind, ModelNameInvalid

API_VERSION_HEADER: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_PATH: Final = re.compile(r"/v2/((?!\.{1,2}(/|\Z))[A-Za-z0-9._:@+=~-]+/)*((?!\.{1,2}\Z)[A-Za-z0-9._:@+=~-]+)?\Z")
_PART: Final = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>.*)\Z")
_DIGEST: Final = re.compile(r"[a-z0-9]+:[0-9a-fA-F]{32,128}\Z")
_WRITING: Final = frozenset({"push", "delete", "*"})
_CODE_OF_KIND: Final = {
    Kind.UNAUTHENTICATED: "UNAUTHORIZED",
    Kind.FORBIDDEN: "DENIED",
    Kind.NOT_FOUND: "NAME_UNKNOWN",
    Kind.RATE_LIMITED: "TOOMANYREQUESTS",
}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a path under `/v2/` is about. `blob` is `repository@digest` when it is one blob's own path."""

    path: str
    repository: str = ""
    blob: str = ""


def parse_path(path: str) -> Target:
    """Read a decoded path. The accepted characters mean the same however they are written, and no part leads upward.

    Raises: ModelNameInvalid.
    """
    if _PATH.match(path) is None:
        raise ModelNameInvalid("the path holds a character or a part that no repository name has")
    match = _PART.match(path)
    if match is None:
        return Target(path=path)
    is_blob = match["kind"] == "blobs" and _DIGEST.match(match["rest"]) is not None
    return Target(
        path=path,
        repository=match["repository"],
        blob=f"{match['repository']}@{match['rest']}" if is_blob else "",
    )


def scope_of(target: Target, *, writes: bool) -> str:
    """The scope a client must ask a token for; empty where any token will do."""
    if target.repository:
        return f"repository:{target.repository}:{'pull,push' if writes else 'pull'}"
    return "registry:catalog:*" if target.path == "/v2/_catalog" else ""


def wants_to_write(scopes: Iterable[str]) -> bool:
    """Whether any of the scopes a client asks for goes beyond reading. The catalogue is only ever read."""
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        actions = rest.rpartition(":")[2].split(",")
        if kind == "repository" and not _WRITING.isdisjoint(actions):
            return True
    return False


def challenge(url: str, authority: str, scope: str, *, error: str = "") -> str:
    """`WWW-Authenticate` for a request without access. Ollama reads quoted values only, and refuses another host."""
    values = {"realm": f"{url}/v2/token", "service": authority, "scope": scope, "error": error}
    return "Bearer " + ",".join(f'{name}="{value}"' for name, value in values.items() if value)


def basic_password(header: str) -> str | None:
    """The password of `Authorization: Basic`, which is where docker, skopeo and oras put the API key."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user_and_password = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return user_and_password.partition(":")[2] or None


def error_body(error: ErrorInfo) -> dict[str, object]:
    """The error as registry clients read it."""
    code = "NAME_INVALID" if error.code == ModelNameInvalid.code else _CODE_OF_KIND.get(error.kind, "UNKNOWN")
    return {"errors": [{"code": code, "message": error.message, "detail": error.detail or None}]}
