"""Model names `[host/][namespace/]model[:tag]`, and where the registry protocol and Ollama's store keep them. Pure.

Source: Ollama `types/model/name.go`.
"""

import re
from dataclasses import dataclass
from typing import Final

from corral.errors import CliError

DEFAULT_HOST: Final = "registry.ollama.ai"
DEFAULT_NAMESPACE: Final = "library"
DEFAULT_TAG: Final = "latest"

_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}\Z")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\Z")
_MODEL_OR_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z")


@dataclass(frozen=True, order=True)
class ModelName:
    """A valid, complete name; names are equal when their `folded` forms are."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def short(self) -> str:
        """What users see: default host and namespace left out, the tag always shown."""
        is_default = (self.host, self.namespace) == (DEFAULT_HOST, DEFAULT_NAMESPACE)
        return f"{self.model if is_default else self.repository}:{self.tag}"

    @property
    def folded(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}".lower()

    @property
    def repository(self) -> str:
        """The repository of the registry protocol; the default host is left out."""
        parts = (self.namespace, self.model) if self.host == DEFAULT_HOST else (self.host, self.namespace, self.model)
        return "/".join(parts)


def parse_model_name(text: str) -> ModelName:
    """Read a name right to left, filling in the defaults.

    Raises: CliError.
    """
    rest, tag = text, DEFAULT_TAG
    if rest.rfind(":") > rest.rfind("/"):
        rest, tag = rest.rsplit(":", 1)
    return model_name(*rest.split("/"), tag=tag)


def model_name(*parts: str, tag: str) -> ModelName:
    """The name with these parts, host and namespace optional.

    Raises: CliError when a part is missing, too long or has a character outside its set.
    """
    host, namespace, model = ((DEFAULT_HOST, DEFAULT_NAMESPACE)[: max(0, 3 - len(parts))] + parts)[:3]
    rules = ((_HOST, host), (_NAMESPACE, namespace), (_MODEL_OR_TAG, model), (_MODEL_OR_TAG, tag))
    if not 1 <= len(parts) <= 3 or not all(rule.match(part) for rule, part in rules):
        raise CliError(f"'{'/'.join(parts)}:{tag}' is not a model name")
    return ModelName(host, namespace, model, tag)
