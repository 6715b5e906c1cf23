"""URLs that clients are sent on to. Absolute ones, where an Ollama that pushes cannot read any others."""

from aiohttp import web


def base_url(request: web.Request) -> str:
    """Scheme and authority by which the client reached the cluster: what the gateway says, else this request's own."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    return f"{scheme}://{request.headers.get('X-Forwarded-Host', request.host)}"


def upload_url(request: web.Request, upload_id: str) -> str:
    return f"{base_url(request)}/v2/{request.match_info['repository']}/blobs/uploads/{upload_id}"


def blob_path(request: web.Request, digest: str) -> str:
    return f"/v2/{request.match_info['repository']}/blobs/{digest}"
