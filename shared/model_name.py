"""Model names `[host/][namespace/]model[:tag]`: parse, validate and print. Looking them up is the registry's work.

Source: Ollama `types/model/name.go`.
"""

import re

import msgspec

from shared.errors import ModelNameInvalid

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}\Z")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\Z")
_MODEL_OR_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z")


class ModelName(msgspec.Struct, frozen=True, order=True):
    """A valid, complete name; `folded` is the form under which names are equal."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """What users see: default host and namespace left out, the tag always shown."""
        if self.host != DEFAULT_HOST:
            return self.full
        if self.namespace != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    @property
    def folded(self) -> str:
        return self.full.lower()


def parse_model_name(text: str, *, error: str = "invalid model name") -> ModelName:
    """Read a name right to left, filling in the defaults.

    Raises: ModelNameInvalid with the text `error`, for every part that is empty, too long or has a character
        outside its set (so `../x`, `a//b`, `m:` and non-ASCII are refused before they reach a path).
    """
    rest = text.split("://", 1)[1] if "://" in text else text
    tag = DEFAULT_TAG
    if rest.rfind(":") > rest.rfind("/"):
        rest, tag = rest.rsplit(":", 1)
    parts = rest.split("/")
    if len(parts) > 3:
        raise ModelNameInvalid(error)
    model = parts[-1]
    namespace = parts[-2] if len(parts) >= 2 else DEFAULT_NAMESPACE
    host = parts[-3] if len(parts) == 3 else DEFAULT_HOST
    valid = (
        _HOST.match(host) and _NAMESPACE.match(namespace) and _MODEL_OR_TAG.match(model) and _MODEL_OR_TAG.match(tag)
    )
    if not valid:
        raise ModelNameInvalid(error)
    return ModelName(host, namespace, model, tag)
