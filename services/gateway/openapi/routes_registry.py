"""The registry protocol under `/v2/`, which the registry behind the gateway serves.

Source: OCI distribution specification 1.1; Docker's token authentication.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.gateway.openapi.operation import BYTES, Dialect, Media, Operation, Reply, says
from services.gateway.openapi.replies import corral

_MANIFEST_TYPE: Final = "application/vnd.docker.distribution.manifest.v2+json"
_MANIFEST: Final = Media(content_type=_MANIFEST_TYPE, type=corral.RegistryManifest)
_HERE: Final = {200: Reply(description="It is here.")}
_PART: Final = Media(content_type=BYTES, type=bytes)
_UPLOAD: Final = "/v2/{name}/blobs/uploads/{id}"
_PAGE: Final = {"n": "How many at most.", "last": "After which one to begin."}


def _registry(
    method: str,
    path: str,
    summary: str,
    replies: dict[int, Reply],
    *,
    body: Media | None = None,
    query: Mapping[str, str] = MappingProxyType({}),
) -> Operation:
    return Operation(
        method=method,
        path=path,
        dialect=Dialect.REGISTRY,
        summary=summary,
        body=body,
        replies=replies,
        errors=(400, 404, 500, 503),
        query=query,
    )


REGISTRY_ROUTES: Final = (
    _registry("GET", "/v2/", "Whether this is a registry that lets the caller in.", _HERE),
    Operation(
        method="GET",
        path="/v2/token",
        dialect=Dialect.REGISTRY,
        summary="A token for an API key, sent as the password, or for an ssh key's signature.",
        replies=says(corral.RegistryTokenReply),
        errors=(400, 401, 403, 503),
        query={"service": "The registry's name.", "scope": "What the token is for."},
    ),
    _registry("GET", "/v2/_catalog", "All repositories.", says(corral.RegistryCatalogue), query=_PAGE),
    _registry("GET", "/v2/{name}/tags/list", "The tags of a repository.", says(corral.RegistryTags), query=_PAGE),
    _registry(
        "GET",
        "/v2/{name}/manifests/{reference}",
        "A manifest.",
        {200: Reply(description="The manifest.", media=(_MANIFEST,))},
    ),
    _registry("HEAD", "/v2/{name}/manifests/{reference}", "Whether a manifest is here.", _HERE),
    _registry(
        "PUT",
        "/v2/{name}/manifests/{reference}",
        "Publish a manifest.",
        {201: Reply(description="It is published.")},
        body=_MANIFEST,
    ),
    _registry(
        "DELETE", "/v2/{name}/manifests/{reference}", "Delete a manifest.", {202: Reply(description="It is gone.")}
    ),
    _registry(
        "GET",
        "/v2/{name}/blobs/{digest}",
        "A blob, or the range of it that `Range` names.",
        {
            200: Reply(description="All of it; `Location` tells where its ranges need no key.", media=(_PART,)),
            206: Reply(description="A range of it.", media=(_PART,)),
        },
    ),
    _registry("HEAD", "/v2/{name}/blobs/{digest}", "Whether a blob is here.", _HERE),
    _registry(
        "POST",
        "/v2/{name}/blobs/uploads/",
        "Begin an upload, or take a blob over from another repository.",
        {201: Reply(description="The blob is here."), 202: Reply(description="`Location` takes its bytes.")},
        query={
            "digest": "The blob, whose bytes are the body.",
            "mount": "A blob to take over.",
            "from": "The repository to take it from.",
        },
    ),
    _registry("GET", _UPLOAD, "How far an upload is.", {204: Reply(description="`Range` tells it.")}),
    _registry("PATCH", _UPLOAD, "The next bytes.", {202: Reply(description="They are here.")}, body=_PART),
    _registry(
        "PUT",
        _UPLOAD,
        "The end of an upload.",
        {201: Reply(description="The blob is here.")},
        query={"digest": "The blob."},
    ),
    _registry("DELETE", _UPLOAD, "Give an upload up.", {204: Reply(description="It is gone.")}),
)
