"""GGUF files that llama.cpp really loads: tiny llamas with seeded random weights, and LoRA adapters for them.

What such a model says is noise, but always the same noise.
"""

from pathlib import Path
from typing import Final

import gguf
import numpy as np
import numpy.typing as npt

EMBEDDING: Final = 256
"""A row length that every quantization takes: K-quants need whole blocks of 256."""
FEED_FORWARD: Final = 512
HEADS: Final = 4
KV_HEADS: Final = 2
LAYERS: Final = 2
CONTEXT: Final = 256
VOCABULARY: Final = 288
ADAPTER_RANK: Final = 4
_KV: Final = EMBEDDING // HEADS * KV_HEADS
_ROPE_SECTIONS: Final = [8, 12, 12, 0]
_BYTES_FIRST: Final = 3  # after <unk>, <s> and </s>

_LAYER_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "attn_norm.weight": (EMBEDDING,),
    "attn_q.weight": (EMBEDDING, EMBEDDING),
    "attn_k.weight": (_KV, EMBEDDING),
    "attn_v.weight": (_KV, EMBEDDING),
    "attn_output.weight": (EMBEDDING, EMBEDDING),
    "ffn_norm.weight": (EMBEDDING,),
    "ffn_gate.weight": (FEED_FORWARD, EMBEDDING),
    "ffn_up.weight": (FEED_FORWARD, EMBEDDING),
    "ffn_down.weight": (EMBEDDING, FEED_FORWARD),
}

Tensors = dict[str, npt.NDArray[np.float32]]


def llama_tensors(seed: int = 0) -> Tensors:
    """The weights by their GGUF names, rows last as NumPy has them."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (VOCABULARY, EMBEDDING),
        "output_norm.weight": (EMBEDDING,),
        "output.weight": (VOCABULARY, EMBEDDING),
    }
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in _LAYER_SHAPES.items()}
    return {
        name: np.ones(shape, np.float32) if len(shape) == 1 else random.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_llama(
    path: Path, *, seed: int = 0, half: bool = True, chat_template: str = "", architecture: str = "llama"
) -> Path:
    """A model whose matrices are F16, or F32 when not `half`. `qwen2vl` has M-RoPE: positions in three directions."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny Llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    if architecture == "qwen2vl":
        writer.add_rope_dimension_sections(_ROPE_SECTIONS)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer)
    if chat_template:
        writer.add_chat_template(chat_template)
    for name, values in llama_tensors(seed).items():
        writer.add_tensor(name, values.astype(np.float16) if half and values.ndim > 1 else values)
    return _written(writer, path)


def write_adapter(path: Path, *, seed: int = 1, architecture: str = "llama", strength: float = 1.0) -> Path:
    """A LoRA adapter for `write_llama`'s model that changes what it says; `strength` 0 changes nothing."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(ADAPTER_RANK))
    for layer in range(LAYERS):
        name = f"blk.{layer}.attn_q.weight"
        writer.add_tensor(f"{name}.lora_a", random.normal(0, 1, (ADAPTER_RANK, EMBEDDING)).astype(np.float32))
        low = random.normal(0, 1, (EMBEDDING, ADAPTER_RANK)).astype(np.float32)
        writer.add_tensor(f"{name}.lora_b", low * np.float32(strength))
    return _written(writer, path)


def write_projector(path: Path, *, vision_layers: int = 1) -> Path:
    """A file that says it is a vision encoder; it has a token tensor only and no encoder to run."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_uint32("clip.vision.block_count", vision_layers)
    writer.add_tensor("mm.0.weight", np.ones((EMBEDDING, EMBEDDING), np.float32))
    return _written(writer, path)


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """A SentencePiece vocabulary of bytes and a few letters, enough to read and write any text."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [f"▁{chr(ord('a') + index)}" for index in range(VOCABULARY - len(pieces))]
    kinds = [gguf.TokenType.NORMAL] * VOCABULARY
    kinds[0], kinds[1], kinds[2] = gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL
    kinds[_BYTES_FIRST : _BYTES_FIRST + 256] = [gguf.TokenType.BYTE] * 256
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
