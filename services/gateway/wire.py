"""Framing of streamed replies: NDJSON lines and server-sent events. Pure; what is framed is the dialects' business."""

from typing import Final

NDJSON: Final = "application/x-ndjson"
EVENT_STREAM: Final = "text/event-stream"
SSE_DONE: Final = b"data: [DONE]\n\n"


def ndjson_line(body: bytes) -> bytes:
    """One JSON object as a line. Clients take a blank line for an error, so there is never one."""
    return body + b"\n"


def sse_event(body: bytes) -> bytes:
    """One JSON object as an event without a name."""
    return b"data: " + body + b"\n\n"


def named_sse_event(name: bytes, body: bytes) -> bytes:
    """One JSON object as an event whose type is said beside it, too."""
    return b"event: " + name + b"\ndata: " + body + b"\n\n"
