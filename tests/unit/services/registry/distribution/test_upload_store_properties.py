"""Whatever happens to an upload, it holds the bytes that were acknowledged, and a blob holds what its digest says."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.registry.distribution.chunks import Chunk, ChunkOutOfOrder
from services.registry.distribution.upload_store import ChunkIncomplete, UploadStore, UploadUnknown
from services.registry.paths import StorePaths
from shared.digest import digest_of
from shared.errors import DigestMismatch

T = TypeVar("T")
CONTENTS = st.binary(min_size=0, max_size=50)


async def stream(content: bytes) -> AsyncIterator[bytes]:
    for byte in content:
        yield bytes([byte])


async def broken(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise ConnectionResetError


async def absent() -> bool:
    return False


class Uploading(RuleBasedStateMachine):
    """One upload at a time beside a model of it: the bytes it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.paths = StorePaths(Path(self.folder.name))
        self.paths.create_folders()
        self.uploads = UploadStore(self.paths)
        self.loop = asyncio.new_event_loop()
        self.upload = ""
        self.held = b""
        self.settled = True

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.loop.close()
        self.folder.cleanup()

    @initialize()
    def start(self) -> None:
        self.upload = self.run(self.uploads.start())
        self.held = b""
        self.settled = True

    @rule(content=CONTENTS)
    def append(self, content: bytes) -> None:
        assert self.run(self.uploads.append(self.upload, stream(content))) == len(self.held) + len(content)
        self.held += content
        self.settled = True

    @rule(content=CONTENTS.filter(bool), start=st.integers(0, 200))
    def append_chunk(self, content: bytes, start: int) -> None:
        chunk = Chunk(start, start + len(content))
        append = self.uploads.append(self.upload, stream(content), chunk)
        if start == len(self.held) or (start < len(self.held) and not self.settled):
            self.run(append)
            self.held = self.held[:start] + content
            self.settled = True
        else:
            with pytest.raises(ChunkOutOfOrder):
                self.run(append)

    @rule(content=CONTENTS, missing=st.integers(1, 9))
    def append_too_short_a_chunk(self, content: bytes, missing: int) -> None:
        start = len(self.held)
        with pytest.raises(ChunkIncomplete):
            self.run(self.uploads.append(self.upload, stream(content), Chunk(start, start + len(content) + missing)))
        self.settled = True

    @rule(content=CONTENTS)
    def break_off_a_chunk(self, content: bytes) -> None:
        start = len(self.held)
        with pytest.raises(ConnectionResetError):
            self.run(self.uploads.append(self.upload, broken(content), Chunk(start, start + 100)))
        self.settled = True

    @rule()
    def restart(self) -> None:
        self.uploads = UploadStore(self.paths)
        self.settled = False

    @rule()
    def finish(self) -> None:
        digest = digest_of(self.held)
        assert self.run(self.uploads.finish(self.upload, digest, announce=absent)) == len(self.held)
        assert self.paths.blob(digest).read_bytes() == self.held
        self.expect_gone()
        self.start()

    @precondition(lambda self: self.held)
    @rule()
    def finish_with_another_digest(self) -> None:
        with pytest.raises(DigestMismatch):
            self.run(self.uploads.finish(self.upload, digest_of(self.held + b"x"), announce=absent))
        self.expect_gone()
        self.start()

    @rule()
    def discard(self) -> None:
        self.uploads.discard(self.upload)
        self.expect_gone()
        self.start()

    def expect_gone(self) -> None:
        with pytest.raises(UploadUnknown):
            self.uploads.offset(self.upload)

    @invariant()
    def the_file_holds_what_was_acknowledged(self) -> None:
        if self.upload:
            path = self.paths.upload(self.upload)
            assert path is not None
            assert path.read_bytes() == self.held
            assert self.uploads.offset(self.upload) == len(self.held)


TestUploading = Uploading.TestCase
TestUploading.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
