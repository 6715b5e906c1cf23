"""The body of `/api/create`, parsed at the door: JSON in, a checked request or Ollama's errors out. Pure.

What can be wrong with a request by itself (names, types, template, version, parameters) is found here, before
anything is read or told.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from services.registry.building.info import Info, parse_info
from services.registry.building.pins import BaseReference, parse_base
from services.registry.building.versions import required_version
from services.registry.conversion.file_types import target_named
from shared.digest import Digest, parse_digest
from shared.errors import ParameterInvalid, QuantizationUnsupported, TemplateInvalid
from shared.generation import Message
from shared.go_json import GoFields, decode_object
from shared.go_template import parse_template
from shared.model_name import ModelName, parse_model_name
from shared.options import merged

FILES_MAX: Final = 1024
"""Files of one part; the largest models come in a few hundred."""

Files = Mapping[str, Digest]
"""Relative names, as the client has them, to the blobs that hold the files."""


class CreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A model to build from `base`, an existing model, or from `files`; with both, the files are projectors for it.

    `quantize` and `draft_quantize` are file types by Ollama's names; empty leaves the weights as they are.
    """

    name: ModelName
    base: BaseReference | None = None
    files: Files = {}
    adapters: Files = {}
    draft_files: Files = {}
    quantize: str = ""
    draft_quantize: str = ""
    stream: bool = True
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: dict[str, object] = {}
    messages: tuple[Message, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    info: Info = Info()


def parse_create(body: bytes) -> CreateRequest:
    """Raises: ParameterInvalid, ModelNameInvalid, DigestInvalid, OptionTypeInvalid, QuantizationUnsupported."""
    fields = GoFields("CreateRequest", decode_object(body, go_type="api.CreateRequest"))
    files, adapters, drafts = (_files(fields, name) for name in ("files", "adapters", "draft_files"))
    name = parse_model_name(fields.text("model") or fields.text("name"))
    if fields.text("remote_host"):
        raise ParameterInvalid("this server cannot run remote models, so none can be created")
    base_text = fields.text("from")
    if not base_text and files is None:
        raise ParameterInvalid("neither 'from' or 'files' was specified")
    if not base_text and not files:
        raise ParameterInvalid("no files provided to convert")
    if fields.text("draft_quantize") and not drafts:
        raise ParameterInvalid("--draft-quantize requires a DRAFT model")
    return CreateRequest(
        name=name,
        base=parse_base(base_text) if base_text else None,
        files=files or {},
        adapters=adapters or {},
        draft_files=drafts or {},
        quantize=_file_type(fields.text("quantize") or fields.text("quantization")),
        draft_quantize=_file_type(fields.text("draft_quantize")),
        stream=fields.flag("stream") is not False,
        template=_template(fields.text("template")),
        system=fields.text("system"),
        licenses=_licenses(fields),
        parameters=merged(fields.mapping("parameters") or {}),
        messages=_messages(fields),
        renderer=fields.text("renderer"),
        parser=fields.text("parser"),
        requires=required_version(fields.text("requires")),
        info=parse_info(fields.mapping("info") or {}),
    )


def _files(fields: GoFields, name: str) -> dict[str, Digest] | None:
    files = fields.text_mapping(name)
    if files is None:
        return None
    if len(files) > FILES_MAX:
        raise ParameterInvalid(f"{len(files)} {name} are more than the {FILES_MAX} allowed")
    for path in files:
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise ParameterInvalid("file path must be relative")
    return {path: parse_digest(digest) for path, digest in files.items()}


def _file_type(text: str) -> str:
    if not text:
        return ""
    name = target_named(text)
    if name is None:
        raise QuantizationUnsupported(
            f"unsupported quantization type {text.upper()} - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        )
    return name


def _template(text: str) -> str:
    if text:
        try:
            parse_template(text)
        except TemplateInvalid as cause:
            raise ParameterInvalid(f"template error: {cause.message}") from cause
    return text


def _licenses(fields: GoFields) -> tuple[str, ...]:
    if isinstance(fields.anything("license"), str):
        return tuple(filter(None, [fields.text("license")]))
    return tuple(fields.texts("license") or ())


def _messages(fields: GoFields) -> tuple[Message, ...]:
    found = (GoFields("Alias", values) for values in fields.objects("messages", "api.Message") or ())
    return tuple(Message(item.text("role").lower(), item.text("content")) for item in found)
