"""What the field `info` of a create request corrects in the new model's config. Pure."""

from typing import Final

import msgspec

from shared.errors import ParameterInvalid
from shared.manifest import ModelConfig

_TEXTS: Final = {
    "model_family": "model_family",
    "base_name": "base_name",
    "quantization_level": "file_type",
    "parameter_size": "model_type",
}
"""Keys and the config's own names for them."""

_LENGTHS: Final = ("context_length", "embedding_length")
_LENGTH_MAX: Final = 2**31 - 1


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """`fields` replace the config's, `capabilities` are added to them."""

    fields: dict[str, str | int] = {}
    capabilities: tuple[str, ...] = ()

    def applied_to(self, config: ModelConfig) -> ModelConfig:
        added = dict.fromkeys((*config.capabilities, *self.capabilities))
        return msgspec.structs.replace(config, **self.fields, capabilities=tuple(added))


def parse_info(values: dict[str, object]) -> Info:
    """Unknown keys say nothing; an empty value leaves the config as it is.

    Raises: ParameterInvalid in Ollama's words.
    """
    fields: dict[str, str | int] = {_TEXTS[key]: _text(key, values[key]) for key in _TEXTS if key in values}
    fields |= {key: _length(key, values[key]) for key in _LENGTHS if key in values}
    return Info(
        fields={key: value for key, value in fields.items() if value},
        capabilities=_capabilities(values.get("capabilities")),
    )


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ParameterInvalid(f'info field "{key}" must be a string')
    return value


def _length(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterInvalid(f'info field "{key}" must be a number')
    if not 0 <= value <= _LENGTH_MAX or value != int(value):
        raise ParameterInvalid(f'info field "{key}" must be a non-negative integer')
    return int(value)


def _capabilities(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ParameterInvalid('info field "capabilities" must be a list of strings')
    return tuple(filter(None, value))
