"""The body of `/api/pull` and `/api/push`, parsed at the door. Pure."""

import msgspec

from services.registry.transfers.transfer import TransferKind
from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object
from shared.model_name import ModelName, parse_model_name


class TransferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`insecure` means plain http."""

    name: ModelName
    insecure: bool
    stream: bool


def parse_transfer(kind: TransferKind, body: bytes) -> TransferRequest:
    """Raises: ParameterInvalid, ModelNameInvalid."""
    struct = "PullRequest" if kind is TransferKind.PULL else "PushRequest"
    fields = GoFields(struct, decode_object(body, go_type=f"api.{struct}"))
    # Older clients send the model as `name`, with or without an empty `model` beside it.
    text = fields.text("model") or fields.text("name")
    if not text and kind is TransferKind.PUSH:
        raise ParameterInvalid("model is required")
    return TransferRequest(
        name=parse_model_name(text),
        insecure=fields.flag("insecure") is True,
        stream=fields.flag("stream") is not False,
    )
