"""A name server on loopback that knows what a test tells it: names of services and their replicas' addresses."""

import asyncio
import contextlib
import ipaddress
import struct
from collections.abc import AsyncIterator, Mapping
from typing import cast

NAME_UNKNOWN = 3
QUESTION_AT = 12
POINTER_TO_NAME = 0xC000 | QUESTION_AT
TYPE_A, CLASS_IN, LIFE_S = 1, 1, 60


class NameServer(asyncio.DatagramProtocol):
    """Answers questions for IPv4 addresses. Source: RFC 1035 section 4."""

    def __init__(self, addresses: Mapping[str, list[str]]) -> None:
        self.addresses = dict(addresses)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(self._answer(data), addr)

    def _answer(self, query: bytes) -> bytes:
        (query_id,) = struct.unpack_from("!H", query)
        labels, end = [], QUESTION_AT
        while length := query[end]:
            labels.append(query[end + 1 : end + 1 + length].decode())
            end += 1 + length
        question = query[QUESTION_AT : end + 5]
        known = self.addresses.get(".".join(labels), [])
        flags = 0x8180 | (0 if known else NAME_UNKNOWN)
        head = struct.pack("!6H", query_id, flags, 1, len(known), 0, 0)
        records = [
            struct.pack("!3HIH", POINTER_TO_NAME, TYPE_A, CLASS_IN, LIFE_S, 4) + ipaddress.ip_address(address).packed
            for address in known
        ]
        return head + question + b"".join(records)


@contextlib.asynccontextmanager
async def running_name_server(addresses: Mapping[str, list[str]]) -> AsyncIterator[tuple[NameServer, str]]:
    """Gives the server and its `host:port`."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(addresses), local_addr=("127.0.0.1", 0)
    )
    try:
        host, port = transport.get_extra_info("sockname")
        yield server, f"{host}:{port}"
    finally:
        transport.close()
