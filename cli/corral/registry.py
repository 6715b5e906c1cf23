"""The cluster as a registry: manifests and blobs over the distribution protocol (`/v2/`), every byte checked.

Source: OCI distribution specification; Ollama `server/download.go`, `server/upload.go`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import httpx

from corral.client import Client
from corral.errors import CliError, Unreached
from corral.model_names import ModelName

MANIFEST_TYPE: Final = "application/vnd.docker.distribution.manifest.v2+json"
STALLED_S: Final = 60.0
"""A download that brings nothing for this long has broken off."""

BROKEN_OFF_MAX: Final = 5
"""How often a download may break off; it goes on from where it was."""


class Registry:
    """Every call may raise ApiError or Unreached, as the client's do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def manifest(self, name: ModelName) -> bytes | None:
        """The manifest's own bytes; None when there is no such model."""
        path = f"/v2/{name.repository}/manifests/{name.tag}"
        reply = self._client.send("GET", path, headers={"Accept": MANIFEST_TYPE}, absent_is_fine=True)
        return None if reply.status_code == httpx.codes.NOT_FOUND else reply.content

    def put_manifest(self, name: ModelName, content: bytes) -> None:
        path = f"/v2/{name.repository}/manifests/{name.tag}"
        self._client.send("PUT", path, content=content, headers={"Content-Type": MANIFEST_TYPE})

    def has_blob(self, name: ModelName, digest: str) -> bool:
        reply = self._client.send("HEAD", f"/v2/{name.repository}/blobs/{digest}", absent_is_fine=True)
        return reply.status_code != httpx.codes.NOT_FOUND

    def blob(self, name: ModelName, digest: str, size: int) -> Iterator[bytes]:
        """The blob's bytes, going on where a connection broke off.

        Raises: CliError when there are not exactly `size` bytes or they have another digest.
        """
        received, hashed, broken_off = 0, hashlib.sha256(), 0
        while received < size:
            try:
                for chunk in self._rest(name, digest, received):
                    received += len(chunk)
                    hashed.update(chunk)
                    yield chunk
            except Unreached:
                broken_off += 1
                if broken_off > BROKEN_OFF_MAX:
                    raise
            else:
                break
        if (received, f"sha256:{hashed.hexdigest()}") != (size, digest):
            raise CliError(f"what the server sent for {digest} is something else")

    def _rest(self, name: ModelName, digest: str, start: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-"} if start else {}
        timeout = httpx.Timeout(STALLED_S)
        path = f"/v2/{name.repository}/blobs/{digest}"
        with self._client.opened("GET", path, headers=headers, timeout=timeout, follow_redirects=True) as reply:
            if start and not reply.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise CliError("the server cannot go on with a download that broke off")
            yield from reply.iter_raw()

    def mount(self, name: ModelName, digest: str, *, source: ModelName) -> bool:
        """Let a repository have what another one has; false when the server would rather be sent the bytes."""
        query = httpx.QueryParams({"mount": digest, "from": source.repository})
        reply = self._client.send("POST", f"/v2/{name.repository}/blobs/uploads/?{query}")
        return reply.status_code == httpx.codes.CREATED

    def upload(self, name: ModelName, digest: str, chunks: Iterable[bytes], size: int) -> None:
        """Store a blob.

        Raises: CliError when `chunks` have another digest; the server then keeps nothing.
        """
        reply = self._client.send("POST", f"/v2/{name.repository}/blobs/uploads/")
        hashed = hashlib.sha256()

        def passing() -> Iterator[bytes]:
            for chunk in chunks:
                hashed.update(chunk)
                yield chunk

        if size:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            headers["Content-Range"] = f"0-{size - 1}"
            reply = self._client.send("PATCH", self._location(reply), content=passing(), headers=headers)
        if (got := f"sha256:{hashed.hexdigest()}") != digest:
            raise CliError(f"{digest} is damaged: its bytes have the digest {got}")
        self._client.send("PUT", self._location(reply).copy_merge_params({"digest": digest}))

    def _location(self, reply: httpx.Response) -> httpx.URL:
        """Where the upload goes on: always at our own address, whatever the server takes its own to be."""
        location = reply.headers.get("Docker-Upload-Location") or reply.headers.get("Location")
        if not location:
            raise CliError("the server does not say where to send the blob")
        return httpx.URL(self._client.url).copy_with(raw_path=reply.url.join(location).raw_path)
