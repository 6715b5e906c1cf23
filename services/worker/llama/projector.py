"""A projector: turns pictures and sound into embeddings of the model it belongs to, with llama.cpp's libmtmd.

Reading a file (decoding, scaling, cutting into parts) happens in a thread of its own while the engine goes on.
Encoding happens in the engine's thread, because it wants all cores: everybody's streams wait that long.
"""

import ctypes
import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Sequence as Seq
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import llama_cpp as lib
import numpy as np
import numpy.typing as npt
from llama_cpp import mtmd_cpp as mtmd

from services.worker.engine.backend import DecodeFailed, KvCacheFull
from services.worker.engine.media import Media, Part
from services.worker.llama import bindings
from services.worker.llama.media_files import checked
from services.worker.llama.params import LlamaParams
from services.worker.llama.sound_files import is_sound
from services.worker.llama.webp import is_webp, pixels_of_webp
from shared.errors import ModelLoadFailed, ParameterInvalid

EMBEDDINGS_BYTES_MAX: Final = 128 << 20
"""Embeddings kept for files that come again with the next turn; one of LLaVA's is 9 MB."""

MARKER: Final = str(mtmd.mtmd_default_marker().decode())
"""Where an image or a sound stands in a prompt; chat templates write the same."""

_ENCODED: Final = "an image or a sound could not be computed"
_NO_CALLBACK: Final = mtmd.mtmd_helper_post_decode_callback()

Embedding = npt.NDArray[np.float32]


class LlamaMedia(Media):
    """A chunk of libmtmd's. `n_pos` is how far the positions move on: less than the tokens in M-RoPE models.

    `chunks` owns the chunk, so it lives as long as any of its media.
    """

    def __init__(self, key: str, chunks: "_Chunks", chunk: Any) -> None:
        super().__init__(key, int(mtmd.mtmd_input_chunk_get_n_tokens(chunk)))
        self.n_pos = int(mtmd.mtmd_input_chunk_get_n_pos(chunk))
        self.chunk = chunk
        self.chunks = chunks


class _Chunks:
    """A prompt as libmtmd cuts it up; freed with the last reference."""

    def __init__(self) -> None:
        self.pointer: Any = mtmd.mtmd_input_chunks_init()
        weakref.finalize(self, mtmd.mtmd_input_chunks_free, self.pointer)

    def __iter__(self) -> Any:
        for index in range(mtmd.mtmd_input_chunks_size(self.pointer)):
            yield mtmd.mtmd_input_chunks_get(self.pointer, index)


class Projector:
    """The opened projector file of one model. `read` may be called from any thread, the rest by the engine's only.

    Raises (on opening): ModelLoadFailed with what llama.cpp had to say.
    """

    def __init__(self, params: LlamaParams, model: Any) -> None:
        mtmd.mtmd_helper_log_set(bindings.log_callback, ctypes.c_void_p(0))
        wanted = mtmd.mtmd_context_params_default()
        wanted.use_gpu = params.n_gpu_layers != 0
        wanted.n_threads = params.n_threads
        wanted.print_timings = wanted.warmup = False
        wanted.flash_attn_type = (
            lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if params.flash_attn else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        assert params.projector is not None
        self._ctx: Any = mtmd.mtmd_init_from_file(params.projector.encode(), model, wanted)
        if not self._ctx:
            raise ModelLoadFailed(f"llama.cpp could not load the projector: {bindings.recent_errors()}")
        self._sees = bool(mtmd.mtmd_support_vision(self._ctx))
        self._hears = bool(mtmd.mtmd_support_audio(self._ctx))
        self._n_batch = params.n_batch
        self._n_embd = int(lib.llama_model_n_embd_inp(model))
        self._embeddings = Embeddings()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="images")

    def read(self, text: str, images: Seq[bytes], *, front: Seq[int], owner: str) -> "Future[Seq[Part]]":
        """The prompt in tokens and media; it begins with the tokens `front`, whether or not the text says so.

        `images` may be sounds as well. The future raises ParameterInvalid for what is neither, or more of it than may
        be, and CapabilityMissing for what this projector does not take in.
        """
        return self._thread.submit(self._read, text, tuple(images), front, owner)

    def decode(self, ctx: Any, media: Media, *, n_past: int, seq_id: int) -> int:
        """Compute media behind `n_past` positions of a sequence; gives the positions after it.

        Raises: KvCacheFull, DecodeFailed.
        """
        assert isinstance(media, LlamaMedia)
        embedding = self._embedding(media)
        new_n_past = lib.llama_pos(0)
        code = mtmd.mtmd_helper_decode_image_chunk(
            self._ctx,
            ctx,
            media.chunk,
            embedding.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            n_past,
            seq_id,
            self._n_batch,
            ctypes.pointer(new_n_past),
            _NO_CALLBACK,
            ctypes.c_void_p(0),
        )
        if code == 1:
            raise KvCacheFull("no room in KV memory for the image")
        if code != 0:
            raise DecodeFailed(f"{_ENCODED}: llama_decode returned {code}: {bindings.recent_errors()}")
        return int(new_n_past.value)

    def close(self) -> None:
        """Wait for what is being read; afterwards the model may be freed."""
        self._thread.shutdown(cancel_futures=True)
        mtmd.mtmd_free(self._ctx)

    def _read(self, text: str, images: Seq[bytes], front: Seq[int], owner: str) -> Seq[Part]:
        files = checked(images, sees=self._sees, hears=self._hears)
        places_count = text.count(MARKER)
        if places_count != len(images):
            raise ParameterInvalid(f"the prompt has {len(images)} images and {places_count} places for them")
        bitmaps: list[Any] = []
        try:
            for number, file in enumerate(files, 1):
                bitmaps.append(self._bitmap(number, file))
            chunks = self._chunks(text.encode(), bitmaps)
        finally:
            for bitmap in bitmaps:
                mtmd.mtmd_bitmap_free(bitmap)
        parts = self._parts(chunks, owner)
        # Chat templates often write the BOS token that the tokenizer adds as well.
        has_front = not isinstance(parts[0], Media) and list(parts[0][: len(front)]) == list(front)
        return parts if has_front else [front, *parts]

    def _bitmap(self, number: int, file: bytes) -> Any:
        bitmap = _webp_bitmap(file) if is_webp(file) else self._decoded(file)
        if not bitmap:
            what = "sound" if is_sound(file) else "image"
            raise ParameterInvalid(f"{what} {number} cannot be read: it is damaged")
        # The number tells the parts of one picture from those of the same picture shown again.
        mtmd.mtmd_bitmap_set_id(bitmap, f"{number}:{hashlib.sha256(file).hexdigest()}".encode())
        return bitmap

    def _decoded(self, file: bytes) -> Any:
        buffer = (ctypes.c_uint8 * len(file)).from_buffer_copy(file)
        return mtmd.mtmd_helper_bitmap_init_from_buf(self._ctx, buffer, len(file), False)

    def _chunks(self, text: bytes, bitmaps: Seq[Any]) -> _Chunks:
        wanted = mtmd.mtmd_input_text(text=text, text_len=len(text), add_special=False, parse_special=True)
        chunks = _Chunks()
        pointers = (mtmd.mtmd_bitmap_p_ctypes * len(bitmaps))(*bitmaps)
        if mtmd.mtmd_tokenize(self._ctx, chunks.pointer, ctypes.pointer(wanted), pointers, len(bitmaps)) != 0:
            raise ParameterInvalid(f"the model cannot take in these images or sounds: {bindings.recent_errors()}")
        return chunks

    def _parts(self, chunks: _Chunks, owner: str) -> Seq[Part]:
        parts: list[Part] = []
        counts: dict[str, int] = {}
        for chunk in chunks:
            if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
                parts.append(_tokens(chunk))
                continue
            shown = (mtmd.mtmd_input_chunk_get_id(chunk) or b"").decode()
            counts[shown] = counts.get(shown, 0) + 1
            media = LlamaMedia(f"{owner} {shown.partition(':')[2]} {counts[shown]}", chunks, chunk)
            self._check_whole(media)
            parts.append(media)
        return parts

    def _check_whole(self, media: LlamaMedia) -> None:
        """Some models look at a picture in all directions at once, which takes a batch that holds all of it."""
        whole = mtmd.mtmd_decode_use_non_causal(self._ctx, media.chunk)
        if whole and len(media.tokens) > self._n_batch:
            raise ParameterInvalid(
                f"an image of {len(media.tokens)} tokens does not fit a batch of {self._n_batch}; raise num_batch"
            )

    def _embedding(self, media: LlamaMedia) -> Embedding:
        if (known := self._embeddings.get(media.key)) is not None:
            return known
        if mtmd.mtmd_encode_chunk(self._ctx, media.chunk) != 0:
            raise DecodeFailed(f"{_ENCODED}: {bindings.recent_errors()}")
        shape = (len(media.tokens), self._n_embd)
        embedding: Embedding = np.ctypeslib.as_array(mtmd.mtmd_get_output_embd(self._ctx), shape).copy()
        self._embeddings.put(media.key, embedding)
        return embedding


class Embeddings:
    """Those used last, up to so many bytes."""

    def __init__(self, size_bytes_max: int = EMBEDDINGS_BYTES_MAX) -> None:
        self._size_bytes_max = size_bytes_max
        self._kept: OrderedDict[str, Embedding] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: str) -> Embedding | None:
        if (embedding := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return embedding

    def put(self, key: str, embedding: Embedding) -> None:
        self._kept[key] = embedding
        self._size_bytes += embedding.nbytes
        while self._size_bytes > self._size_bytes_max:
            _, dropped = self._kept.popitem(last=False)
            self._size_bytes -= dropped.nbytes


def _webp_bitmap(file: bytes) -> Any:
    """None when the picture is damaged."""
    if (pixels := pixels_of_webp(file)) is None:
        return None
    buffer = (ctypes.c_uint8 * len(pixels.rgb)).from_buffer_copy(pixels.rgb)
    return mtmd.mtmd_bitmap_init(pixels.width, pixels.height, buffer)


def _tokens(chunk: Any) -> list[int]:
    count = ctypes.c_size_t(0)
    tokens: Any = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.pointer(count))
    return list(tokens[: count.value])
