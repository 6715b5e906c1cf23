"""`ollama` with OLLAMA_AUTH=1 as servers meet it: what it adds to its calls.

Source: Ollama `api/client.go` (do, stream), `auth/auth.go` (Sign).
"""

import time

import aiohttp
from yarl import URL

from fakes.ollama_keys import OllamaKey


class OllamaCommandLine:
    """`host` is OLLAMA_HOST, whose path, if it has one, stands before every path and is not signed."""

    def __init__(self, http: aiohttp.ClientSession, host: str, key: OllamaKey, *, clock_skew_s: int = 0) -> None:
        self._http = http
        self._host = URL(host)
        self._key = key
        self._clock_skew_s = clock_skew_s

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """The status and what came back; bytes in `body` are sent as they are, anything else as JSON."""
        ts = str(int(time.time()) + self._clock_skew_s)
        return await self.send(method, path, ts, self.authorization(f"{method},{path}?ts={ts}"), body)

    def authorization(self, text: str) -> str:
        return self._key.authorization(text.encode())

    async def send(self, method: str, path: str, ts: str, authorization: str, body: object = None) -> tuple[int, str]:
        """One call with this header, whatever it signs."""
        url = self._host.joinpath(path.lstrip("/")).update_query(ts=ts)
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        headers = {"Authorization": authorization}
        async with self._http.request(method, url, headers=headers, **content) as response:
            return response.status, await response.text()
