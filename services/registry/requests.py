"""The bodies of the model routes, parsed at the door: JSON in, types or Ollama's errors out. Pure.

That of `/api/create` is `building/request.py`'s.
"""

import msgspec

from services.registry.describe import ShowChanges
from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object
from shared.local_names import CLOUD_DETAILS, parse_local_name
from shared.model_name import ModelName, parse_model_name


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`name_text` is what the user typed; one client wants to see it again."""

    name: ModelName
    name_text: str
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


def parse_show(body: bytes) -> ShowRequest:
    """Raises: ParameterInvalid, ModelNameInvalid, Forbidden for a model in the cloud."""
    fields = GoFields("ShowRequest", decode_object(body, go_type="api.ShowRequest"))
    text = _model_or_name(fields)
    if not text:
        raise ParameterInvalid("model is required")
    return ShowRequest(
        name=parse_local_name(text, operation=CLOUD_DETAILS),
        name_text=text,
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
