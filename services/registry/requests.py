"""The bodies of the model routes, parsed at the door: JSON in, types or Ollama's errors out. Pure."""

import msgspec

from services.registry.describe import ShowChanges
from shared.digest import Digest, parse_digest
from shared.errors import ParameterInvalid
from shared.generation import Message
from shared.go_json import GoFields, decode_object
from shared.model_name import ModelName, parse_model_name

_NOT_SUPPORTED_YET = (
    "adapters", "draft_files", "draft_quantize", "quantize", "quantization", "renderer", "parser", "info",
    "remote_host",
)  # fmt: skip


class CreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A model to build. Exactly one of `base` (an existing model) and `file` (name and digest of a GGUF) is set."""

    name: ModelName
    base: ModelName | None
    file: tuple[str, Digest] | None
    stream: bool
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: dict[str, object] = {}
    messages: tuple[Message, ...] = ()
    requires: str = ""


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    name: ModelName
    verbose: bool
    changes: ShowChanges


class CopyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`source_text` is what the user typed, for the error when it does not exist."""

    source: ModelName
    source_text: str
    destination: ModelName


class DeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    name: ModelName
    name_text: str


def parse_create(body: bytes) -> CreateRequest:
    """Raises: ParameterInvalid, ModelNameInvalid, DigestInvalid."""
    fields = GoFields("CreateRequest", decode_object(body, go_type="api.CreateRequest"))
    files = _files(fields)
    name = parse_model_name(_model_or_name(fields))
    for field in _NOT_SUPPORTED_YET:
        if fields.anything(field):
            raise ParameterInvalid(f"{field} is not supported yet")
    base_text = fields.text("from")
    return CreateRequest(
        name=name,
        base=parse_model_name(base_text) if base_text else None,
        file=None if base_text else _only_file(files),
        stream=fields.flag("stream") is not False,
        template=fields.text("template"),
        system=fields.text("system"),
        licenses=_licenses(fields),
        parameters=fields.mapping("parameters") or {},
        messages=tuple(
            Message(item.text("role").lower(), item.text("content"))
            for item in (GoFields("Alias", values) for values in fields.objects("messages", "api.Message") or ())
        ),
        requires=fields.text("requires"),
    )


def parse_show(body: bytes) -> ShowRequest:
    """Raises: ParameterInvalid, ModelNameInvalid."""
    fields = GoFields("ShowRequest", decode_object(body, go_type="api.ShowRequest"))
    text = _model_or_name(fields)
    if not text:
        raise ParameterInvalid("model is required")
    return ShowRequest(
        name=parse_model_name(text),
        verbose=fields.flag("verbose") is True,
        changes=ShowChanges(system=fields.text("system"), options=fields.mapping("options") or {}),
    )


def parse_copy(body: bytes) -> CopyRequest:
    """Raises: ParameterInvalid, ModelNameInvalid."""
    fields = GoFields("CopyRequest", decode_object(body, go_type="api.CopyRequest"))
    source, destination = fields.text("source"), fields.text("destination")
    return CopyRequest(
        source=parse_model_name(source, error=f'source "{source}" is invalid'),
        source_text=source,
        destination=parse_model_name(destination, error=f'destination "{destination}" is invalid'),
    )


def parse_delete(body: bytes) -> DeleteRequest:
    """Raises: ParameterInvalid, ModelNameInvalid."""
    fields = GoFields("DeleteRequest", decode_object(body, go_type="api.DeleteRequest"))
    text = _model_or_name(fields)
    return DeleteRequest(name=parse_model_name(text, error=f'name "{text}" is invalid'), name_text=text)


def _model_or_name(fields: GoFields) -> str:
    """Older clients send the model as `name`, with or without an empty `model` beside it."""
    return fields.text("model") or fields.text("name")


def _files(fields: GoFields) -> dict[str, Digest] | None:
    files = fields.text_mapping("files")
    if files is None:
        return None
    for path in files:
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise ParameterInvalid("file path must be relative")
    return {path: parse_digest(digest) for path, digest in files.items()}


def _only_file(files: dict[str, Digest] | None) -> tuple[str, Digest]:
    if files is None:
        raise ParameterInvalid("neither 'from' or 'files' was specified")
    if not files:
        raise ParameterInvalid("no files provided to convert")
    if any(path.endswith(".safetensors") for path in files):
        raise ParameterInvalid("creating a model from safetensors is not supported yet")
    if len(files) > 1:
        raise ParameterInvalid("creating a model from several files is not supported yet")
    return next(iter(files.items()))


def _licenses(fields: GoFields) -> tuple[str, ...]:
    if isinstance(fields.anything("license"), str):
        return tuple(filter(None, [fields.text("license")]))
    return tuple(fields.texts("license") or ())
