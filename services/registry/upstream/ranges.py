"""What a registry's answer to a request for part of a blob must look like, and what it says of an upload. Pure."""

import re
from collections.abc import Mapping

from shared.errors import UpstreamFailed

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(?:\d+|\*)")
_UPLOADED = re.compile(r"(?:bytes=)?0-(\d+)")


def range_header(start: int, end: int) -> str:
    """The request header for the bytes of [start, end)."""
    return f"bytes={start}-{end - 1}"


def check_part(status: int, headers: Mapping[str, str], start: int, end: int) -> None:
    """Whether the answer carries exactly the bytes of [start, end): 206 and that range, or 200 and the whole blob.

    Raises: UpstreamFailed. A server that ignores Range would otherwise put the blob's beginning everywhere.
    """
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UpstreamFailed(f"the registry sent a blob encoded as {headers['Content-Encoding']}")
    if status == 206:
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if match is None or (int(match[1]), int(match[2]) + 1) != (start, end):
            raise UpstreamFailed(f"the registry sent another range than bytes {start}-{end - 1}")
    elif status != 200 or start != 0:
        raise UpstreamFailed(f"the registry answered {status} to a request for part of a blob")
    length = headers.get("Content-Length")
    if status == 200 and length != str(end):
        raise UpstreamFailed(f"the registry sent the whole blob instead of its first {end} bytes")
    if length is not None and length != str(end - start):
        raise UpstreamFailed(f"the registry sends {length} bytes instead of {end - start}")


def uploaded_bytes(header: str | None) -> int:
    """How many bytes an upload has, by the Range header of its status.

    The header names the last byte, so an empty upload has none to name: registries write `0-0` or leave it out.
    Source: OCI distribution specification, "Pushing a blob in chunks"; CNCF distribution, registry/handlers.
    """
    match = _UPLOADED.fullmatch((header or "").strip())
    return 0 if match is None or match[1] == "0" else int(match[1]) + 1
