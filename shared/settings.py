"""Settings from the environment: one frozen struct per service, read once at start. No setting lives here.

A field `num_parallel` of the worker is read from `CORRAL_WORKER_NUM_PARALLEL`, else from the cluster-wide
`CORRAL_NUM_PARALLEL`; an address (`host`, `port`) belongs to one service and has no cluster-wide form. A secret
`admin_key` may instead be in the file named by `..._ADMIN_KEY_FILE`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, get_type_hints

import msgspec

CLUSTER_PREFIX = "CORRAL_"
ADDRESS_FIELDS = frozenset({"host", "port"})

T = TypeVar("T", bound=msgspec.Struct)


class SettingsInvalid(Exception):
    """The environment cannot be used; the message names the variable."""


class Secret:
    """Text that never shows itself in logs or tracebacks."""

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(set)" if self._text else "Secret(unset)"


def _secret_hook(wanted: type, value: object) -> object:
    if wanted is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(f"no conversion to {wanted.__name__}")


def variables_of(field: str, *, prefix: str) -> tuple[str, ...]:
    """Where a field is looked for, the first that is set wins."""
    own = prefix + field.upper()
    return (own,) if field in ADDRESS_FIELDS else (own, CLUSTER_PREFIX + field.upper())


def load(cls: type[T], environ: Mapping[str, str], *, prefix: str) -> T:
    """Build `cls` from `environ`.

    Raises: SettingsInvalid for a value outside its type or range, and for any unknown variable under `prefix`.
    """
    hints = get_type_hints(cls)
    values: dict[str, object] = {}
    known: set[str] = set()
    for field in cls.__struct_fields__:
        own, *_ = variables = variables_of(field, prefix=prefix)
        known |= {own, own + "_FILE"} if hints[field] is Secret else {own}
        for variable in variables:
            if environ.get(variable):
                values[field] = environ[variable]
                break
            if hints[field] is Secret and environ.get(variable + "_FILE"):
                values[field] = Path(environ[variable + "_FILE"]).read_text(encoding="utf-8").strip()
                break
    unknown = sorted(name for name in environ if name.startswith(prefix) and name not in known)
    if unknown:
        raise SettingsInvalid(f"unknown setting {', '.join(unknown)}")
    try:
        return msgspec.convert(values, cls, strict=False, dec_hook=_secret_hook)
    except msgspec.ValidationError as cause:
        raise SettingsInvalid(f"{prefix}*: {cause}") from cause
