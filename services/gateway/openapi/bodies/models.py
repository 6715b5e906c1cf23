"""The bodies of Ollama's routes that manage models, which the registry reads, and those of Corral's own routes.

Source: Ollama `api/types.go`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from services.gateway.openapi.bodies.fields import Flag, JsonObject, Text
from services.gateway.openapi.bodies.ollama import OllamaOptions

OLD_NAME = Meta(description="What older clients call `model`.")
Files = Annotated[dict[str, str] | None, Meta(description="File names to the digests of blobs uploaded before.")]
Stream = Annotated[Flag, Meta(description="Absent means true: report progress as lines of JSON.")]


class ShowBody(msgspec.Struct, kw_only=True):
    model: Text = None
    name: Annotated[Text, OLD_NAME] = None
    verbose: Flag = None
    system: Annotated[Text, Meta(description="Shown in the Modelfile instead of the model's own.")] = None
    options: Annotated[JsonObject | None, Meta(description="Shown in the Modelfile beside the model's own.")] = None


class CopyBody(msgspec.Struct, kw_only=True):
    source: Text = None
    destination: Text = None


class DeleteBody(msgspec.Struct, kw_only=True):
    model: Text = None
    name: Annotated[Text, OLD_NAME] = None


class TransferBody(msgspec.Struct, kw_only=True):
    """A model to pull from, or push to, the registry that its name names."""

    model: Text = None
    name: Annotated[Text, OLD_NAME] = None
    insecure: Annotated[Flag, Meta(description="Plain http.")] = None
    stream: Stream = None


class StoredMessage(msgspec.Struct, kw_only=True):
    role: Text = None
    content: Text = None


class ModelInfo(msgspec.Struct, kw_only=True):
    """Facts about a model that its files do not tell."""

    capabilities: list[str] | None = None
    model_family: Text = None
    base_name: Text = None
    quantization_level: Text = None
    parameter_size: Text = None
    context_length: int | None = None
    embedding_length: int | None = None


class CreateBody(msgspec.Struct, kw_only=True):
    """A model made of an existing one (`from`), of uploaded files, or of both."""

    model: Text = None
    name: Annotated[Text, OLD_NAME] = None
    stream: Stream = None
    from_: Text = msgspec.field(default=None, name="from")
    files: Files = None
    adapters: Files = None
    draft_files: Files = None
    quantize: Text = None
    quantization: Annotated[Text, Meta(description="What older clients call `quantize`.")] = None
    draft_quantize: Text = None
    template: Text = None
    license: str | list[str] | None = None
    system: Text = None
    parameters: OllamaOptions | None = None
    messages: list[StoredMessage] | None = None
    renderer: Text = None
    parser: Text = None
    requires: Text = None
    info: ModelInfo | None = None
    remote_host: Annotated[Text, Meta(description="Refused: no model runs elsewhere.")] = None


class KeyBody(msgspec.Struct, kw_only=True):
    """An API key to make, or an ssh key whose owner is let in."""

    name: Text = None
    role: Annotated[Text, Meta(description="user, admin, service or worker; absent means user.")] = None
    ssh_public_key: Annotated[Text, Meta(description="A line as in `~/.ollama/id_ed25519.pub`.")] = None
    summarize: Annotated[Flag, Meta(description="Replace old turns of long conversations by a summary of them.")] = None


class KeyRestoreBody(msgspec.Struct, kw_only=True):
    """Keys of a backup, as `/api/backup/keys` wrote them."""

    keys: Annotated[dict[str, JsonObject] | None, Meta(description="Records by the hashes of their keys.")] = None
    replace: Annotated[Flag, Meta(description="Overwrite keys that are here and differ; otherwise they stay.")] = None
