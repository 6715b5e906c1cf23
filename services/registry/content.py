"""What a model's small layers say: template, system prompt, parameters, messages, licences, and the config blob."""

from typing import TypeVar

import msgspec

from services.registry.blob_store import BlobStore
from shared.errors import ModelFileInvalid
from shared.generation import Message
from shared.manifest import Layer, Manifest, MediaType, ModelConfig

T = TypeVar("T")


class ModelContent(msgspec.Struct, frozen=True, kw_only=True):
    """`template` is None when there is no template layer; `params` are as stored, unknown names included."""

    system: str = ""
    template: str | None = None
    params: dict[str, object] = {}
    messages: tuple[Message, ...] = ()
    licenses: tuple[str, ...] = ()


def weights_layer(manifest: Manifest) -> Layer | None:
    """The main weights: of several model layers the last counts."""
    return next(reversed(list(manifest.layers_of(MediaType.MODEL))), None)


def read_config(blobs: BlobStore, manifest: Manifest) -> ModelConfig:
    """Raises: ModelFileInvalid, BlobMissing."""
    return _json(blobs.read(manifest.config.digest), ModelConfig, "config")


def read_template(blobs: BlobStore, manifest: Manifest) -> str | None:
    """The Go template; None when there is no template layer.

    Raises: ModelFileInvalid, BlobMissing.
    """
    layers = list(manifest.layers_of(MediaType.TEMPLATE, MediaType.PROMPT))
    return _text(blobs.read(layers[-1].digest)) if layers else None


def read_content(blobs: BlobStore, manifest: Manifest) -> ModelContent:
    """Raises: ModelFileInvalid, BlobMissing."""

    def last(media_type: str) -> bytes | None:
        layers = list(manifest.layers_of(media_type))
        return blobs.read(layers[-1].digest) if layers else None

    params = last(MediaType.PARAMS)
    messages = last(MediaType.MESSAGES)
    return ModelContent(
        system=_text(last(MediaType.SYSTEM) or b""),
        template=read_template(blobs, manifest),
        params={} if params is None else _json(params, dict[str, object], "parameters"),
        messages=() if messages is None else _json(messages, tuple[Message, ...], "messages"),
        licenses=tuple(_text(blobs.read(layer.digest)) for layer in manifest.layers_of(MediaType.LICENSE)),
    )


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _json(content: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise ModelFileInvalid(f"the model's {what} layer is corrupt: {cause}") from cause
