"""Pictures as clients send them, and a projector small enough to look at them."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Final

import gguf
import numpy as np
import numpy.typing as npt
from PIL import Image

from fakes import llama_models

SIDE: Final = 28
PATCH: Final = 14
PICTURE_TOKENS: Final = (SIDE // PATCH) ** 2
"""What `write_eyes` makes of every picture."""

_WIDTH: Final = 32
_INNER: Final = 64
_LAYERS: Final = 2


def png(seed: int = 0, *, width: int = 40, height: int = 30) -> bytes:
    """A picture of coarse noise: another one for every seed."""
    pixels = _noise(seed, width, height)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def webp(*seeds: int, width: int = 40, height: int = 30, lossless: bool = False) -> bytes:
    """The same as WebP; with several seeds it is an animation."""
    frames = [Image.fromarray(_noise(seed, width, height)) for seed in seeds]
    file = BytesIO()
    frames[0].save(file, "WEBP", save_all=len(frames) > 1, append_images=frames[1:], lossless=lossless)
    return file.getvalue()


def _noise(seed: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return coarse.repeat(-(-height // 3), axis=0)[:height].repeat(-(-width // 4), axis=1)[:, :width]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_eyes(path: Path, *, seed: int = 0, embedding: int = llama_models.EMBEDDING, kind: str = "mlp") -> Path:
    """A projector with seeded random weights: a vision transformer and two layers into the model's embeddings.

    It is LLaVA's (`mlp`), or Qwen2-VL's (`qwen2vl_merger`), which sees pictures of any size, in tokens whose positions
    are where they are in the picture. Source: llama.cpp `tools/mtmd/clip.cpp`.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    for name, value in {
        "image_size": SIDE,
        "patch_size": PATCH,
        "embedding_length": _WIDTH,
        "feed_forward_length": _INNER,
        "block_count": _LAYERS,
        "projection_dim": embedding,
        "attention.head_count": 2,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    for name, shape in _shapes(embedding, kind).items():
        drawn = random.normal(0, 0.2, shape)
        if "ln" in name or name.endswith("bias"):
            drawn = np.full(shape, float(name.endswith("weight")))
        writer.add_tensor(name, drawn.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(embedding: int, kind: str) -> dict[str, tuple[int, ...]]:
    merged = 4 if kind == "qwen2vl_merger" else 1  # patches that become one token
    own = {
        "v.patch_embd.weight.1": (_WIDTH, 3, PATCH, PATCH),
        "v.post_ln.weight": (_WIDTH,),
        "v.post_ln.bias": (_WIDTH,),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (_WIDTH, 3, PATCH, PATCH),
        **(own if merged > 1 else {"v.position_embd.weight": (PICTURE_TOKENS, _WIDTH)}),
        "mm.0.weight": (_INNER, _WIDTH * merged),
        "mm.0.bias": (_INNER,),
        "mm.2.weight": (embedding, _INNER),
        "mm.2.bias": (embedding,),
    }
    for layer in range(_LAYERS):
        block = f"v.blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes |= {f"{block}.{name}.weight": (_WIDTH, _WIDTH), f"{block}.{name}.bias": (_WIDTH,)}
        for name in ("ln1", "ln2"):
            shapes |= {f"{block}.{name}.weight": (_WIDTH,), f"{block}.{name}.bias": (_WIDTH,)}
        shapes |= {f"{block}.ffn_up.weight": (_INNER, _WIDTH), f"{block}.ffn_up.bias": (_INNER,)}
        shapes |= {f"{block}.ffn_down.weight": (_WIDTH, _INNER), f"{block}.ffn_down.bias": (_WIDTH,)}
    return shapes


def claiming(width: int, height: int) -> bytes:
    """A picture that says it is that large, and is not."""
    whole = png()
    return whole[:16] + struct.pack(">II", width, height) + whole[24:]
