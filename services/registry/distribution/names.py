"""Repository paths, references and pages of this protocol, to and from this registry's own values. Pure.

A path of two parts, `team/bot`, is a repository of the default host, as an Ollama that pulls
`corral.example/team/bot` asks for it. Three parts, `registry.example/team/bot`, name the host too; so what was pulled
from elsewhere can be pulled from here. One part is a model of the namespace `library`.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from shared.digest import Digest, parse_digest
from shared.errors import ModelNameInvalid
from shared.model_name import DEFAULT_HOST, DEFAULT_TAG, ModelName, parse_model_name

PAGE_MAX: Final = 1000
"""Names on one page of a listing, and on every page when the client names no number."""

_DIGEST_PREFIX: Final = "sha256:"


def parse_repository(path: str, tag: str = DEFAULT_TAG) -> ModelName:
    """A repository, or one tag of it.

    Raises: ModelNameInvalid.
    """
    message = f"invalid repository name or tag: {path}:{tag}"
    if "://" in path or "/" in tag or ":" in tag:
        raise ModelNameInvalid(message)
    return parse_model_name(f"{path}:{tag}", error=message)


def parse_reference(reference: str) -> Digest | None:
    """The digest that a manifest is asked for by; None when the reference is a tag.

    Raises: DigestInvalid for `sha256:` with anything else behind it.
    """
    return parse_digest(reference) if reference.startswith(_DIGEST_PREFIX) else None


def repository_path(name: ModelName) -> str:
    """The shortest path of the two or three parts that leads to the repository."""
    path = f"{name.namespace}/{name.model}"
    return path if name.host == DEFAULT_HOST else f"{name.host}/{path}"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a listing; `next_query` asks for the following part and is empty on the last one."""

    names: tuple[str, ...]
    next_query: str = ""


def page(names: Sequence[str], *, count: int, last: str) -> Page:
    """At most `count` of the sorted names, those behind `last`."""
    rest = [name for name in names if name > last]
    shown = tuple(rest[: min(count, PAGE_MAX)])
    if not shown or len(shown) == len(rest):
        return Page(names=shown)
    return Page(names=shown, next_query=urlencode({"n": min(count, PAGE_MAX), "last": shown[-1]}))
