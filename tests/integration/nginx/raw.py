"""Requests as they are on the wire, for what no well-behaved client sends."""

import asyncio
from dataclasses import dataclass

from integration.nginx.front_door import FrontDoor

WAIT_S = 10


@dataclass(frozen=True)
class RawReply:
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(door: FrontDoor, target: str, *, method: str = "GET", **headers: str) -> RawReply:
    """Send the head of a request, its target unchanged, and read the first thing that comes back."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", door.https_port, ssl=door.client_tls(), server_hostname="localhost"
    )
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    try:
        async with asyncio.timeout(WAIT_S):
            writer.write("\r\n".join([*lines, "", ""]).encode())
            status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = [line.partition(": ") for line in lines if line]
            received = {name: value for name, _, value in pairs}
            size = 0 if method == "HEAD" else int(received.get("Content-Length", "0"))
            body = await reader.readexactly(size)
    finally:
        writer.transport.abort()
    return RawReply(int(status_line.split(" ", 2)[1]), received, body)
