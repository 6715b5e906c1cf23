"""The model a new one begins with: `name`, or `name@sha256:<hex>`, which says exactly which one. Pure.

What is pinned is the manifest: the digest that the listing shows as the model's ID. It covers weights, template,
parameters and all the rest, and whoever has the listing has it.
"""

import re
from typing import Final

import msgspec

from shared.errors import DigestInvalid, ParameterInvalid
from shared.local_names import CLOUD_DETAILS, parse_local_name
from shared.model_name import ModelName

_PIN: Final = re.compile(r"sha256[:-]([0-9a-fA-F]{12,64})")
"""At least as much as the listing shows."""


class BaseReference(msgspec.Struct, frozen=True, kw_only=True):
    """`pin` is the beginning of the manifest's digest in bare hex; empty when any will do."""

    name: ModelName
    pin: str = ""


def parse_base(text: str) -> BaseReference:
    """Read `name[@sha256:<12 to 64 hex>]`.

    Raises: DigestInvalid, and what `parse_local_name` raises.
    """
    name, at, digest = text.partition("@")
    if not at:
        return BaseReference(name=parse_local_name(name, operation=CLOUD_DETAILS))
    match = _PIN.fullmatch(digest)
    if match is None:
        raise DigestInvalid()
    return BaseReference(name=parse_local_name(name, operation=CLOUD_DETAILS), pin=match[1].lower())


def check_pin(reference: BaseReference, digest: str) -> None:
    """Whether the stored model, whose manifest has this digest (bare hex), is the pinned one.

    Raises: ParameterInvalid naming both digests.
    """
    if not digest.startswith(reference.pin):
        raise ParameterInvalid(
            f"model '{reference.name.short}' is sha256:{digest}, but sha256:{reference.pin} is asked for"
        )
