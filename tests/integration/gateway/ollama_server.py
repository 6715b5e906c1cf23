"""An Ollama installation as registries meet it: its pulls, its pushes, and how it proves which key it has.

Source: Ollama `server/images.go`, `server/download.go`, `server/upload.go`, `server/auth.go`.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from urllib.parse import urlencode, urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from fakes.ollama_keys import OllamaKey

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
WEIGHTS_TYPE = "application/vnd.ollama.image.model"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
PARTS_COUNT = 4
Answer = tuple[int, CIMultiDictProxy[str], bytes]


class RegistryRefused(Exception):
    """What Ollama would show its user: the status and the body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body.decode()}")
        self.status = status
        self.body = body


class OllamaServer:
    """`clock_skew_s` is how far its clock is ahead. The token lives as long as the object: one pull or push."""

    def __init__(self, http: aiohttp.ClientSession, url: str, key: OllamaKey, *, clock_skew_s: int = 0) -> None:
        self._http = http
        self._url = url
        self._key = key
        self._clock_skew_s = clock_skew_s
        self.token = ""

    async def pull(self, repository: str, tag: str = "latest") -> dict[str, bytes]:
        """The model's blobs by digest."""
        base = f"{self._url}/v2/{repository}"
        _, _, manifest = await self.send("GET", f"{base}/manifests/{tag}", {"Accept": MANIFEST_TYPE})
        digests = [layer["digest"] for layer in (*json.loads(manifest)["layers"], json.loads(manifest)["config"])]
        return {digest: await self._download(f"{base}/blobs/{digest}") for digest in digests}

    async def push(self, repository: str, blobs: list[bytes], tag: str = "latest") -> None:
        """Push a model: its weights in one blob or several, and its config as the last one."""
        base = f"{self._url}/v2/{repository}"
        digests = ["sha256:" + hashlib.sha256(blob).hexdigest() for blob in blobs]
        for digest, blob in zip(digests, blobs, strict=True):
            await self._upload(base, digest, blob)
        *layers, config = [
            {"mediaType": WEIGHTS_TYPE, "digest": digest, "size": len(blob)}
            for digest, blob in zip(digests, blobs, strict=True)
        ]
        config["mediaType"] = CONFIG_TYPE
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers}
        await self.send(
            "PUT", f"{base}/manifests/{tag}", {"Content-Type": MANIFEST_TYPE}, json.dumps(manifest).encode()
        )

    async def send(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """A request that gets itself a token when it is challenged, once.

        Raises: RegistryRefused.
        """
        for _ in range(2):
            status, received, content = await self._once(method, url, headers or {}, body)
            if status == 401:
                self.token = await self.fetch_token(received["WWW-Authenticate"], urlsplit(url).netloc)
            elif status >= 400:
                raise RegistryRefused(status, content)
            else:
                return status, received, content
        raise RegistryRefused(401, b"unauthorized: access denied")

    async def fetch_token(self, challenge: str, original_host: str) -> str:
        status, content = await self.ask(self.token_url(challenge, original_host))
        if status >= 400:
            raise RegistryRefused(status, content)
        token: str = json.loads(content)["token"]
        return token

    def token_url(self, challenge: str, original_host: str) -> str:
        values = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        assert urlsplit(values["realm"]).netloc == original_host, "Ollama refuses a realm on another host"
        query = [("service", values.get("service", ""))]
        query += [("scope", scope) for scope in values.get("scope", "").split(" ")]
        query += [("ts", str(int(time.time()) + self._clock_skew_s)), ("nonce", secrets.token_urlsafe(16))]
        return f"{values['realm']}?{urlencode(sorted(query))}"

    async def ask(self, token_url: str, *, signed_url: str = "") -> tuple[int, bytes]:
        """Ask for a token with a signature over its address, or over another one."""
        headers = {"Authorization": self.authorization(signed_url or token_url)}
        async with self._http.get(URL(token_url, encoded=True), headers=headers) as response:
            return response.status, await response.read()

    def authorization(self, token_url: str) -> str:
        no_body = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        return self._key.authorization(f"GET,{token_url},{no_body}".encode())

    async def _download(self, url: str) -> bytes:
        """By ranges, without any credential, from the address that the registry gives for the blob."""
        _, headers, _ = await self.send("HEAD", url)
        size = int(headers["Content-Length"])
        status, headers, _ = await self.send("GET", url)
        assert status in (200, 307)
        direct = URL(url).join(URL(headers["Location"], encoded=True))
        step = max(1, -(-size // PARTS_COUNT))
        parts = []
        for start in range(0, size, step):
            end = min(start + step, size) - 1
            async with self._http.get(direct, headers={"Range": f"bytes={start}-{end}"}) as response:
                parts.append(await response.read())
        return b"".join(parts)

    async def _upload(self, base: str, digest: str, blob: bytes) -> None:
        try:
            await self.send("HEAD", f"{base}/blobs/{digest}")
        except RegistryRefused as refused:
            if refused.status != 404:
                raise
        else:
            return
        _, headers, _ = await self.send("POST", f"{base}/blobs/uploads/")
        location = headers["Location"]
        assert urlsplit(location).netloc, "Ollama needs an absolute address here"
        half = len(blob) // 2
        for start, part in ((0, blob[:half]), (half, blob[half:])):
            range_headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"{start}-{start + len(part) - 1}",
                "X-Redirect-Uploads": "1",
            }
            _, headers, _ = await self.send("PATCH", location, range_headers, part)
            location = headers["Location"]
        await self.send("PUT", f"{location}?{urlencode({'digest': digest, 'etag': 'x-2'})}")

    async def _once(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self._http.request(
            method, URL(url, encoded=True), headers={**headers, **authorization}, data=body, allow_redirects=False
        ) as response:
            return response.status, response.headers, await response.read()
