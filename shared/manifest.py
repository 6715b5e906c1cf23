"""Manifests, their layers and the config blob, as Ollama stores and serves them. Storage is the registry's.

Source: Ollama `manifest/manifest.go`, `manifest/layer.go`, `types/model/config.go`.
"""

from collections.abc import Iterable

import msgspec

from shared.digest import Digest

MANIFEST_MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_MEDIA_TYPE = "application/vnd.docker.container.image.v1+json"


class MediaType:
    """Layer media types; unknown ones are kept when deriving a model and ignored when loading it."""

    MODEL = "application/vnd.ollama.image.model"
    PROJECTOR = "application/vnd.ollama.image.projector"
    ADAPTER = "application/vnd.ollama.image.adapter"
    DRAFT = "application/vnd.ollama.image.draft"
    TEMPLATE = "application/vnd.ollama.image.template"
    PROMPT = "application/vnd.ollama.image.prompt"
    SYSTEM = "application/vnd.ollama.image.system"
    PARAMS = "application/vnd.ollama.image.params"
    MESSAGES = "application/vnd.ollama.image.messages"
    LICENSE = "application/vnd.ollama.image.license"


class Layer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    media_type: str
    digest: Digest
    size: int
    from_: str = msgspec.field(default="", name="from")
    name: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = MANIFEST_MEDIA_TYPE
    config: Layer
    layers: tuple[Layer, ...]

    @property
    def size_bytes(self) -> int:
        return self.config.size + sum(layer.size for layer in self.layers)

    def layers_of(self, *media_types: str) -> Iterable[Layer]:
        return (layer for layer in self.layers if layer.media_type in media_types)


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The config blob. `architecture` and `os` are constants of Ollama's format, not facts about this machine."""

    model_format: str = ""
    model_family: str = ""
    model_families: tuple[str, ...] | None = None
    model_type: str = ""
    file_type: str = ""
    architecture: str = msgspec.field(default_factory=lambda: "amd64")
    os: str = msgspec.field(default_factory=lambda: "linux")
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    embedding_length: int = 0
    base_name: str = ""
    draft: dict[str, object] | None = None
