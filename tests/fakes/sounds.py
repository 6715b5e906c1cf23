"""Sounds as clients send them, and a projector small enough to listen to them."""

import struct
from pathlib import Path
from typing import Final

import gguf
import numpy as np

from fakes import llama_models

SOUND_TOKENS: Final = 6
"""What `write_ears` makes of every 30 seconds or less: 1500 positions, of which 256 become one token."""

_POSITIONS: Final = 1500
_STACKED: Final = 256
_MELS: Final = 80
_WIDTH: Final = 32
_INNER: Final = 64
_LAYERS: Final = 2


def wav(seed: int = 0, *, seconds: float = 1.0, rate_hz: int = 16_000) -> bytes:
    """A few tones at once: others for every seed."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    tones_hz = np.random.default_rng(seed).uniform(100, 3000, (4, 1))
    samples = np.sin(2 * np.pi * tones_hz * time_s).mean(axis=0) * 30_000
    body: bytes = samples.astype("<i2").tobytes()
    head = struct.pack("<HHIIHH", 1, 1, rate_hz, rate_hz * 2, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def mp3(frames_count: int = 40) -> bytes:
    """Silence: frames of 128 kbit/s at 44.1 kHz whose side information is zero."""
    return (b"\xff\xfb\x90\x00" + bytes(413)) * frames_count


def flac(samples_count: int = 4096, *, claimed_count: int | None = None) -> bytes:
    """Silence at 16 kHz with 16 bits: blocks of 4096 samples that are all the same."""
    count = samples_count if claimed_count is None else claimed_count
    packed = 16_000 << 44 | 0 << 41 | 15 << 36 | count
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + struct.pack(">Q", packed) + bytes(16)
    frames = b"".join(_flac_frame(number) for number in range(samples_count // 4096))
    return b"fLaC\x80" + len(info).to_bytes(3) + info + frames


def _flac_frame(number: int) -> bytes:
    head = b"\xff\xf8\xc5\x08" + bytes([number])
    frame = head + bytes([_crc(head, 0x07, 8)]) + b"\x00\x00\x00"  # a constant subframe of zeros
    return frame + _crc(frame, 0x8005, 16).to_bytes(2)


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    value = 0
    for byte in data:
        value ^= byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
            value &= (1 << bits) - 1
    return value


def write_ears(path: Path, *, seed: int = 0, embedding: int = llama_models.EMBEDDING) -> Path:
    """A projector with seeded random weights: Whisper's encoder and Ultravox's two layers into the model's embeddings.

    Source: llama.cpp `tools/mtmd/clip.cpp`, `tools/mtmd/models/whisper-enc.cpp`.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_bool("clip.has_audio_encoder", True)
    writer.add_string("clip.projector_type", "ultravox")
    for name, value in {
        "num_mel_bins": _MELS,
        "embedding_length": _WIDTH,
        "feed_forward_length": _INNER,
        "block_count": _LAYERS,
        "projection_dim": embedding,
        "attention.head_count": 2,
        "projector.stack_factor": _STACKED,
    }.items():
        writer.add_uint32(f"clip.audio.{name}", value)
    writer.add_float32("clip.audio.attention.layer_norm_epsilon", 1e-5)
    for name, shape in _shapes(embedding).items():
        drawn = random.normal(0, 0.2, shape)
        if "ln" in name or "norm" in name or name.endswith("bias"):
            drawn = np.full(shape, float(name.endswith("weight")))
        kind = np.float16 if name.startswith("a.conv1d") and name.endswith("weight") else np.float32
        writer.add_tensor(name, drawn.astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(embedding: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "a.conv1d.1.weight": (_WIDTH, _MELS, 3),
        "a.conv1d.1.bias": (_WIDTH, 1),
        "a.conv1d.2.weight": (_WIDTH, _WIDTH, 3),
        "a.conv1d.2.bias": (_WIDTH, 1),
        "a.position_embd.weight": (_POSITIONS, _WIDTH),
        "a.post_ln.weight": (_WIDTH,),
        "a.post_ln.bias": (_WIDTH,),
        "mm.a.norm_pre.weight": (_WIDTH * _STACKED,),
        "mm.a.mlp.1.weight": (_INNER, _WIDTH * _STACKED),
        "mm.a.norm_mid.weight": (_INNER // 2,),
        "mm.a.mlp.2.weight": (embedding, _INNER // 2),
    }
    for layer in range(_LAYERS):
        block = f"a.blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes[f"{block}.{name}.weight"] = (_WIDTH, _WIDTH)
            if name != "attn_k":
                shapes[f"{block}.{name}.bias"] = (_WIDTH,)
        for name in ("ln1", "ln2"):
            shapes |= {f"{block}.{name}.weight": (_WIDTH,), f"{block}.{name}.bias": (_WIDTH,)}
        shapes |= {f"{block}.ffn_up.weight": (_INNER, _WIDTH), f"{block}.ffn_up.bias": (_INNER,)}
        shapes |= {f"{block}.ffn_down.weight": (_WIDTH, _INNER), f"{block}.ffn_down.bias": (_WIDTH,)}
    return shapes
