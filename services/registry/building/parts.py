"""Uploaded files to parts of a model: GGUFs as they are or merged, folders converted, weights quantized."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from services.registry.blob_store import BlobStore
from services.registry.building.derived import DerivedBlob, DerivedBlobs, write_pieces
from services.registry.building.files import (
    NOT_GGUF,
    UNKNOWN_TYPE,
    Folder,
    Gguf,
    GgufFile,
    ggufs_of,
    is_folder,
)
from services.registry.building.layers import Part
from services.registry.building.merging import Shard, merged_pieces
from services.registry.building.ports import Conversions
from services.registry.building.quantization import needs_quantizing, quantized_bytes_max
from services.registry.building.steps import Tell
from services.registry.gguf import MAGIC
from services.registry.headers import Headers
from services.registry.transfers.progress import Progress
from shared.digest import Digest
from shared.errors import ParameterInvalid

PARSING: Final = "parsing GGUF"
CONVERTING_MODEL: Final = "converting model"
CONVERTING_ADAPTER: Final = "converting adapter"
VERIFYING: Final = "verifying conversion"
NO_DIGEST: Final = "0" * 19
"""Stands for a blob whose digest is not known yet; the official client shows progress by digest, cut to 19."""

Files = Mapping[str, Digest]


def read_files(files: Files, blobs: BlobStore, headers: Headers) -> tuple[Gguf, ...] | Folder:
    """What the files are, from their names and headers. Blocking.

    Raises: ParameterInvalid, ModelFileInvalid, BlobMissing.
    """
    if is_folder(files):
        for digest in files.values():
            blobs.open(digest).close()
        return Folder(files=files)
    sizes = {digest: _gguf_bytes(name, digest, blobs) for name, digest in files.items()}
    read = {digest: headers.read(digest) for digest in sizes}
    return ggufs_of(
        [
            GgufFile(name=name, digest=digest, size_bytes=sizes[digest], header=read[digest])
            for name, digest in files.items()
        ]
    )


def _gguf_bytes(name: str, digest: Digest, blobs: BlobStore) -> int:
    """The file's size. Raises: ParameterInvalid when it is no GGUF, BlobMissing."""
    with blobs.open(digest) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ParameterInvalid(NOT_GGUF if name.endswith(".gguf") else UNKNOWN_TYPE)
        return file.seek(0, os.SEEK_END)


class Parts:
    """Makes the parts of one build, telling each step."""

    def __init__(
        self, blobs: BlobStore, headers: Headers, derived: DerivedBlobs, conversions: Conversions, tell: Tell
    ) -> None:
        self._blobs = blobs
        self._headers = headers
        self._derived = derived
        self._conversions = conversions
        self._tell = tell

    async def of_gguf(self, gguf: Gguf) -> Part:
        """Raises: StoreFull, ModelFileInvalid when splits do not belong together."""
        self._tell(Progress(status=PARSING))
        if len(gguf.files) == 1:
            (file,) = gguf.files
            return Part(digest=file.digest, size_bytes=file.size_bytes, facts=gguf.facts)
        shards = [
            Shard(path=self._blobs.path(file.digest), size_bytes=file.size_bytes, header=file.header)
            for file in gguf.files
        ]
        made = await self._derived.make(
            lambda output: write_pieces(merged_pieces(shards), output), bytes_max=_total(shards)
        )
        return self._part(made)

    async def of_folder(self, folder: Folder) -> Part:
        """Raises: StoreFull, ModelFileInvalid, InternalError."""
        files = self._paths(folder)
        size_bytes = _sizes(files.values())
        tell = self._share_of(CONVERTING_MODEL, size_bytes)
        return self._part(
            await self._derived.make(
                lambda output: self._conversions.convert(files, output, tell=tell), bytes_max=size_bytes
            )
        )

    async def of_adapter_folder(self, folder: Folder, base: Part) -> Part:
        """Raises: StoreFull, ModelFileInvalid, InternalError."""
        files, base_path = self._paths(folder), self._blobs.path(base.digest)
        size_bytes = _sizes(files.values())
        tell = self._share_of(CONVERTING_ADAPTER, size_bytes)
        return self._part(
            await self._derived.make(
                lambda output: self._conversions.convert_adapter(files, base_path, output, tell=tell),
                bytes_max=size_bytes,
            )
        )

    async def quantized(self, part: Part, file_type: str) -> Part:
        """The weights as `file_type`, as they are when that is empty or what they are already.

        Raises: QuantizationUnsupported, StoreFull, ModelFileInvalid, InternalError.
        """
        if not needs_quantizing(part.facts, file_type):
            return part
        source = self._blobs.path(part.digest)
        status = f"quantizing {part.facts.precision} model to {file_type}"
        tell = self._share_of(status, part.size_bytes, digest=NO_DIGEST)
        made = await self._derived.make(
            lambda output: self._conversions.quantize(source, output, file_type, tell=tell),
            bytes_max=quantized_bytes_max(part.size_bytes, file_type),
        )
        self._tell(Progress(status=VERIFYING))
        return msgspec.structs.replace(self._part(made), from_=part.from_)

    def _part(self, made: DerivedBlob) -> Part:
        return Part(digest=made.digest, size_bytes=made.size_bytes, facts=self._headers.facts(made.digest))

    def _paths(self, folder: Folder) -> dict[str, Path]:
        return {name: self._blobs.path(digest) for name, digest in folder.files.items()}

    def _share_of(self, status: str, total_bytes: int, *, digest: str = "") -> Callable[[float], None]:
        """Tells how far a step is, beginning now."""

        def tell(share: float) -> None:
            completed = round(share * total_bytes)
            self._tell(Progress(status=status, digest=digest, total=total_bytes, completed=completed))

        tell(0.0)
        return tell


def _total(shards: Iterable[Shard]) -> int:
    return sum(shard.size_bytes for shard in shards)


def _sizes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
