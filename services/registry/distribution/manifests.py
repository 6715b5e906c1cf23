"""Routes of manifests: the exact bytes that were pushed or pulled, by tag or by digest."""

from typing import Final, NoReturn

from aiohttp import hdrs, web

from services.registry.blob_store import BlobStore
from services.registry.distribution.dialect import CONTENT_DIGEST, Code, Refusal
from services.registry.distribution.mirror import Mirror
from services.registry.distribution.names import parse_reference, parse_repository
from services.registry.distribution.repositories import Repositories
from services.registry.handlers.bodies import read_whole
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, decode_manifest
from services.registry.publishing import on_thread
from shared.digest import Digest, digest_of
from shared.errors import BlobMissing, ModelNameInvalid, ModelUnknown
from shared.manifest import MANIFEST_MEDIA_TYPE, Layer, Manifest
from shared.model_name import ModelName

MANIFEST_BYTES_MAX: Final = 4 << 20
"""What the specification asks every registry to take."""


class ManifestHandlers:
    """`mirror` is None when models of other registries are not fetched on demand."""

    def __init__(
        self,
        repositories: Repositories,
        manifests: ManifestStore,
        blobs: BlobStore,
        library: ModelLibrary,
        mirror: Mirror | None,
        *,
        upload_idle_s: float,
    ) -> None:
        self._repositories = repositories
        self._manifests = manifests
        self._blobs = blobs
        self._library = library
        self._mirror = mirror
        self._upload_idle_s = upload_idle_s

    def add_routes(self, app: web.Application) -> None:
        path = "/v2/{repository:.+}/manifests/{reference}"
        app.router.add_get(path, self.read)
        app.router.add_put(path, self.write)
        app.router.add_delete(path, self.delete)

    async def read(self, request: web.Request) -> web.Response:
        """GET and HEAD: the manifest that is here. GET also the one a mirrored registry has: pushes begin with HEAD."""
        name, digest = _wanted(request)
        found = await self._repositories.find(name, digest)
        if found is not None:
            stored, content = found
            return _manifest_response(content, stored.manifest.media_type)
        if self._mirror is None or request.method == hdrs.METH_HEAD:
            _unknown(request)
        fetched = await self._mirror.manifest(name, digest)
        if fetched is None:
            _unknown(request)
        return _manifest_response(fetched, decode_manifest(fetched).media_type)

    async def write(self, request: web.Request) -> web.Response:
        """Store the bytes as they are, once every blob they name is here and may be reached in the repository."""
        path, tag = request.match_info["repository"], request.match_info["reference"]
        if parse_reference(tag) is not None:
            raise Refusal(405, Code.UNSUPPORTED, "manifests are kept under tags: push this one to a tag")
        name = parse_repository(path, tag)
        content = await read_whole(request, idle_s=self._upload_idle_s, bytes_max=MANIFEST_BYTES_MAX)
        manifest = decode_manifest(content)
        await self._check(name, manifest)
        try:
            await self._library.put(await on_thread(self._manifests.resolve, name), content)
        except BlobMissing as cause:
            raise Refusal(404, Code.MANIFEST_BLOB_UNKNOWN, cause.message) from cause
        digest = digest_of(content)
        headers = {hdrs.LOCATION: f"/v2/{path}/manifests/{digest}", CONTENT_DIGEST: digest}
        return web.Response(status=201, headers=headers)

    async def _check(self, name: ModelName, manifest: Manifest) -> None:
        """Raises: Refusal, naming the first blob that is missing or of another size than the manifest says."""
        for layer in (manifest.config, *manifest.layers):
            size_bytes = self._blobs.size_bytes(layer.digest)
            if size_bytes is None or not await self._repositories.reaches(name, layer.digest):
                raise _not_pushed(layer)
            if size_bytes != layer.size:
                raise _wrong_size(layer, size_bytes)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete one tag, or every tag of the repository that has this digest."""
        name, digest = _wanted(request)
        if digest is None:
            await self._library.delete(await on_thread(self._manifests.resolve, name))
            return web.Response(status=202)
        tagged = [stored.name for stored in await self._repositories.with_digest(name, digest)]
        if not tagged:
            _unknown(request)
        for each in tagged:
            await self._library.delete(each)
        return web.Response(status=202)


def _wanted(request: web.Request) -> tuple[ModelName, Digest | None]:
    """The name asked for; with a digest any tag will do.

    Raises: ModelNameInvalid, DigestInvalid, ModelUnknown for a tag that no manifest can have.
    """
    path, reference = request.match_info["repository"], request.match_info["reference"]
    repository = parse_repository(path)
    digest = parse_reference(reference)
    if digest is not None:
        return repository, digest
    try:
        return parse_repository(path, reference), None
    except ModelNameInvalid as cause:
        raise ModelUnknown(f"manifest {reference} is not known to this registry") from cause


def _unknown(request: web.Request) -> NoReturn:
    reference = request.match_info["reference"]
    raise Refusal(404, Code.MANIFEST_UNKNOWN, f"manifest {reference} is not known to this registry")


def _not_pushed(layer: Layer) -> Refusal:
    message = "a blob was not pushed to this repository"
    return Refusal(404, Code.MANIFEST_BLOB_UNKNOWN, message, detail={"digest": layer.digest})


def _wrong_size(layer: Layer, size_bytes: int) -> Refusal:
    return Refusal(
        400,
        Code.MANIFEST_INVALID,
        "a layer's size is not its blob's",
        detail={"digest": layer.digest, "size": layer.size, "blob_size": size_bytes},
    )


def _manifest_response(content: bytes, media_type: str) -> web.Response:
    digest = digest_of(content)
    headers = {
        hdrs.CONTENT_TYPE: media_type or MANIFEST_MEDIA_TYPE,
        CONTENT_DIGEST: digest,
        hdrs.ETAG: f'"{digest}"',
    }
    return web.Response(body=content, headers=headers)
