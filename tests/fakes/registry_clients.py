"""Clients of the registry protocol, written from its descriptions and not from our code."""

import hashlib
import io
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from fakes.small_models import SmallModel
from shared.digest import Digest
from shared.manifest import MANIFEST_MEDIA_TYPE


class RegistryClient:
    """What docker, skopeo and oras do: one body per blob."""

    def __init__(self, session: aiohttp.ClientSession, repository: str) -> None:
        self.session = session
        self.repository = repository

    @property
    def path(self) -> str:
        return f"/v2/{self.repository}"

    async def push(self, model: SmallModel, tag: str = "latest") -> int:
        """Push what is missing, then the manifest; returns the status of the last step."""
        for digest, content in model.blobs.items():
            if (await self.session.head(f"{self.path}/blobs/{digest}")).status == 200:
                continue
            status = await self.push_blob(digest, content)
            if status != 201:
                return status
        return await self.push_manifest(model.manifest, tag)

    async def push_blob(self, digest: Digest, content: bytes) -> int:
        async with self.session.post(f"{self.path}/blobs/uploads/") as response:
            location = URL(response.headers["Location"])
        async with self.session.put(location.update_query(digest=digest), data=io.BytesIO(content)) as response:
            return response.status

    async def push_manifest(self, content: bytes, tag: str = "latest") -> int:
        headers = {"Content-Type": MANIFEST_MEDIA_TYPE}
        async with self.session.put(f"{self.path}/manifests/{tag}", data=content, headers=headers) as response:
            return response.status

    async def pull(self, model: SmallModel, tag: str = "latest") -> None:
        """Read the model back and compare every byte."""
        async with self.session.get(f"{self.path}/manifests/{tag}") as response:
            assert response.status == 200
            assert await response.read() == model.manifest
        for digest, content in model.blobs.items():
            async with self.session.get(f"{self.path}/blobs/{digest}") as response:
                assert response.status == 200
                assert await response.read() == content


class OllamaClient:
    """What Ollama's server does, step by step.

    Source: Ollama `server/images.go`, `server/download.go`, `server/upload.go`.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str, repository: str, *, part_bytes: int) -> None:
        self.session = session
        self.base_url = base_url
        self.repository = repository
        self.part_bytes = part_bytes

    def url(self, rest: str) -> str:
        return f"{self.base_url}/v2/{self.repository}/{rest}"

    async def pull_manifest(self, tag: str) -> bytes:
        headers = {"Accept": MANIFEST_MEDIA_TYPE}
        async with self.session.get(self.url(f"manifests/{tag}"), headers=headers) as response:
            assert response.status == 200
            return await response.read()

    async def pull_blob(self, digest: Digest) -> bytes:
        """Its size, the address of its bytes, then its ranges without looking at the status."""
        async with self.session.head(self.url(f"blobs/{digest}")) as response:
            assert response.status == 200
            size_bytes = int(response.headers["Content-Length"])
        response = await self.session.get(self.url(f"blobs/{digest}"), allow_redirects=False)
        assert response.status in (200, 307)
        assert "Location" in response.headers, "http: no Location header in response"
        direct_url = urljoin(str(response.url), response.headers["Location"])
        response.close()
        content = b""
        for start in range(0, size_bytes, self.part_bytes):
            end = min(start + self.part_bytes, size_bytes)
            async with self.session.get(direct_url, headers={"Range": f"bytes={start}-{end - 1}"}) as part:
                content += await part.read()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest, (
            "digest mismatch, file must be downloaded again"
        )
        return content

    async def push_blob(self, digest: Digest, content: bytes, *, mount_from: str = "") -> str:
        """Returns what came of it: `present`, `mounted` or `uploaded`."""
        async with self.session.head(self.url(f"blobs/{digest}")) as response:
            if response.status < 400:
                return "present"
            assert response.status == 404
        query = f"?mount={digest}&from={mount_from}" if mount_from else ""
        async with self.session.post(self.url(f"blobs/uploads/{query}")) as response:
            if response.status == 201:
                return "mounted"
            location = upload_location(response)
        parts = [content[start : start + self.part_bytes] for start in range(0, len(content), self.part_bytes)]
        start = 0
        for part in parts:
            location = await self.push_part(location, start, part)
            start += len(part)
        sums = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
        commit = URL(location).update_query(digest=digest, etag=f"{sums}-{len(parts)}")
        async with self.session.put(commit, data=b"", headers={"Content-Length": "0"}) as response:
            assert response.status < 400, await response.text()
        return "uploaded"

    async def push_part(self, location: str, start: int, part: bytes) -> str:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{start}-{start + len(part) - 1}",
            "X-Redirect-Uploads": "1",
        }
        async with self.session.patch(location, data=io.BytesIO(part), headers=headers) as response:
            assert response.status < 300, await response.text()
            return upload_location(response)

    async def push_manifest(self, tag: str, content: bytes) -> None:
        headers = {"Content-Type": MANIFEST_MEDIA_TYPE}
        async with self.session.put(self.url(f"manifests/{tag}"), data=content, headers=headers) as response:
            assert response.status < 400, await response.text()


def upload_location(response: aiohttp.ClientResponse) -> str:
    """Only an absolute address is understood."""
    location = response.headers.get("Docker-Upload-Location") or response.headers["Location"]
    assert URL(location).absolute
    return location


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """A body without a length of its own."""
    for start in range(0, len(content), size):
        yield content[start : start + size]
