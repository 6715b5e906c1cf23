"""Replies on the wire: JSON, its lines and server-sent events. Pure; what they say is the dialects' business."""

from typing import Final

import msgspec

NDJSON: Final = "application/x-ndjson"
EVENT_STREAM: Final = "text/event-stream"
SSE_DONE: Final = b"data: [DONE]\n\n"

_encode_json = msgspec.json.Encoder().encode
_LINE_BREAKS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
"""What JSON allows in strings and readers of lines, httpx's among them, take for the end of a line."""


def encode(value: object) -> bytes:
    """JSON on one line, whoever reads lines."""
    body = _encode_json(value)
    if not body.isascii():
        for raw, escaped in _LINE_BREAKS:
            body = body.replace(raw, escaped)
    return body


def ndjson_line(body: bytes) -> bytes:
    """One JSON object as a line. Clients take a blank line for an error, so there is never one."""
    return body + b"\n"


def sse_event(body: bytes) -> bytes:
    """One JSON object as an event without a name."""
    return b"data: " + body + b"\n\n"


def named_sse_event(name: bytes, body: bytes) -> bytes:
    """One JSON object as an event whose type is said beside it, too."""
    return b"event: " + name + b"\ndata: " + body + b"\n\n"
