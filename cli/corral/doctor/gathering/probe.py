"""Requests with and without a key, each with a limit, whose refusals are answers like any other."""

import contextlib
import ssl
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx

from corral.client import LOOPBACK_HOSTS, Events, Json, parsed
from corral.doctor.facts import Place
from corral.errors import ApiError, Unreached

ANSWER_WAIT_S: Final = 15.0
PIECE_WAIT_S: Final = 90.0
"""A model may have to be loaded first."""


class Probe:
    """One cluster, asked as a stranger or with the key. Every call may raise Unreached."""

    def __init__(self, url: str, api_key: str) -> None:
        self._key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(
            base_url=url,
            timeout=ANSWER_WAIT_S,
            trust_env=not place_of(url).on_loopback,
            verify=ssl.create_default_context(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def stranger(self, method: str, path: str | httpx.URL, *, key: str = "") -> httpx.Response:
        """What somebody without a key gets, or with another."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with _reaching(str(self._http.base_url)):
            return self._http.request(method, path, headers=headers, json={} if method == "POST" else None)

    def known(self, path: str) -> httpx.Response:
        """What the owner of the key gets."""
        with _reaching(str(self._http.base_url)):
            return self._http.get(path, headers=self._key)

    def json(self, path: str) -> Json | None:
        """The reply to the owner of the key; None for a refusal."""
        response = self.known(path)
        return None if response.is_error else parsed(response.content)

    def events(self, path: str, body: Json) -> Iterator[tuple[float, Json]]:
        """The objects of a streamed reply, each with the seconds from the request to its arrival.

        Raises: ApiError for one that is an error.
        """
        timeout = httpx.Timeout(PIECE_WAIT_S, connect=ANSWER_WAIT_S)
        began_s, events = time.monotonic(), Events()
        with (
            _reaching(str(self._http.base_url)),
            self._http.stream("POST", path, json=body, headers=self._key, timeout=timeout) as response,
        ):
            if response.is_error:
                raise ApiError(response.read().decode(errors="replace").strip(), response.status_code)
            for chunk in response.iter_bytes():
                arrived_s = time.monotonic() - began_s
                yield from ((arrived_s, event) for event in events.of(chunk))


def place_of(url: str, *, http_port: int | None = None) -> Place:
    parts: Any = httpx.URL(url)
    https = parts.scheme == "https"
    port = parts.port or (443 if https else 80)
    return Place(
        scheme=parts.scheme,
        host=parts.host,
        port=port,
        on_loopback=parts.host in LOOPBACK_HOSTS,
        http_port=http_port or (80 if https and port == 443 else None),
    )


@contextlib.contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as cause:
        raise Unreached(f"{url.rstrip('/')} does not answer: {cause or type(cause).__name__}") from cause
