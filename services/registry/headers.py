"""GGUF headers by digest: facts are kept for every model, whole headers read again when somebody asks. Not parsing."""

import os
from typing import BinaryIO

from services.registry.blob_store import BlobStore
from services.registry.gguf import Array, Header, Items, read_array, read_header
from services.registry.model_facts import ModelFacts, facts_of
from shared.digest import Digest
from shared.errors import CorralError, ModelFileInvalid


class Headers:
    """Blobs never change, so what was read once stays true. A refusal is remembered too."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._facts: dict[Digest, ModelFacts | ModelFileInvalid] = {}

    def facts(self, digest: Digest) -> ModelFacts:
        """Raises: ModelFileInvalid, InternalError when the blob is missing."""
        known = self._facts.get(digest)
        if known is None:
            try:
                known = facts_of(self.read(digest))
            except ModelFileInvalid as error:
                known = error.with_traceback(None)
            self._facts[digest] = known
        if isinstance(known, CorralError):
            raise ModelFileInvalid(known.message)
        return known

    def read(self, digest: Digest) -> Header:
        """The whole header, without long arrays.

        Raises: ModelFileInvalid, InternalError when the blob is missing.
        """
        with self._blobs.open(digest) as file:
            return read_header(file, _size_bytes(file))

    def items(self, digest: Digest, array: Array) -> Items:
        """All items of one of the header's arrays.

        Raises: ModelFileInvalid, InternalError when the blob is missing.
        """
        if array.items is not None:
            return list(array.items)
        with self._blobs.open(digest) as file:
            return read_array(file, _size_bytes(file), array)

    def forget_all_but(self, digests: frozenset[Digest]) -> None:
        """Drop the facts of weights that no model has any more."""
        for digest in self._facts.keys() - digests:
            self._facts.pop(digest, None)


def _size_bytes(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
