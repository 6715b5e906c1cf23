"""How this protocol says no: `{"errors": [{"code", "message", "detail"}]}` and its statuses. Also its version header.

Source: OCI distribution specification, "Error Codes"; Docker's registry API for `UNKNOWN` and the header.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, LooseHeaders

from shared.errors import CorralError
from shared.web import retry_headers, status_of

log = structlog.get_logger("corral.registry")

VERSION_HEADERS: Final = {"Docker-Distribution-API-Version": "registry/2.0"}
CONTENT_DIGEST: Final = "Docker-Content-Digest"
PREFIX: Final = "/v2/"


class Code(StrEnum):
    BLOB_UNKNOWN = "BLOB_UNKNOWN"
    BLOB_UPLOAD_INVALID = "BLOB_UPLOAD_INVALID"
    BLOB_UPLOAD_UNKNOWN = "BLOB_UPLOAD_UNKNOWN"
    DENIED = "DENIED"
    DIGEST_INVALID = "DIGEST_INVALID"
    MANIFEST_BLOB_UNKNOWN = "MANIFEST_BLOB_UNKNOWN"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    MANIFEST_UNKNOWN = "MANIFEST_UNKNOWN"
    NAME_INVALID = "NAME_INVALID"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    PAGINATION_NUMBER_INVALID = "PAGINATION_NUMBER_INVALID"
    SIZE_INVALID = "SIZE_INVALID"
    TOOMANYREQUESTS = "TOOMANYREQUESTS"
    UNKNOWN = "UNKNOWN"
    UNSUPPORTED = "UNSUPPORTED"


class Refusal(Exception):
    """An answer of this protocol that nothing else in the registry knows."""

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        *,
        detail: Mapping[str, str | int | float] | None = None,
        headers: LooseHeaders | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = dict(detail or {})
        self.headers: LooseHeaders = headers or {}


_TRANSLATED: Final[Mapping[str, tuple[int, Code]]] = {
    "blob_unknown": (404, Code.BLOB_UNKNOWN),
    "digest_invalid": (400, Code.DIGEST_INVALID),
    "digest_mismatch": (400, Code.DIGEST_INVALID),
    "model_file_invalid": (400, Code.MANIFEST_INVALID),
    "model_name_invalid": (400, Code.NAME_INVALID),
    "model_unknown": (404, Code.MANIFEST_UNKNOWN),
    "store_full": (403, Code.DENIED),
    "too_large": (413, Code.SIZE_INVALID),
    "upstream_failed": (502, Code.UNKNOWN),
    "upstream_refused": (502, Code.UNKNOWN),
}


def refusal_of(error: CorralError) -> Refusal:
    status, code = _TRANSLATED.get(error.code, (status_of(error), Code.UNKNOWN))
    return Refusal(status, code, error.message, detail=error.detail, headers=retry_headers(error))


def response_of(refusal: Refusal) -> web.Response:
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.detail:
        error["detail"] = refusal.detail
    return web.json_response({"errors": [error]}, status=refusal.status, headers=refusal.headers)


@web.middleware
async def dialect(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let every answer under `/v2/` speak this dialect; others pass untouched."""
    if not f"{request.path}/".startswith(PREFIX):
        return await handler(request)
    try:
        response = await handler(request)
    except Refusal as refusal:
        response = response_of(refusal)
    except CorralError as error:
        response = response_of(refusal_of(error))
    except web.HTTPNotFound:
        response = response_of(Refusal(404, Code.UNSUPPORTED, "this registry has nothing at that path"))
    except web.HTTPMethodNotAllowed as error:
        allowed = {hdrs.ALLOW: ", ".join(sorted(error.allowed_methods))}
        response = response_of(Refusal(405, Code.UNSUPPORTED, "the operation is not supported", headers=allowed))
    except web.HTTPException:
        raise
    except Exception:
        log.exception("handler_failed", route=request.path)
        response = response_of(Refusal(500, Code.UNKNOWN, "internal error; the server's log has the details"))
    if not response.prepared:
        response.headers.update(VERSION_HEADERS)
    return response
