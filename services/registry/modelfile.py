"""Modelfiles, the printing side: a model's content as the text that would build it again."""

from collections.abc import Iterator, Mapping

from services.registry.content import ModelContent
from services.registry.go_text import go_number, go_quoted
from shared.model_name import ModelName

DEFAULT_TEMPLATE = "{{ .Prompt }}"
_NAME_COLUMNS = 30


def print_modelfile(name: ModelName, content: ModelContent) -> str:
    """FROM names the model itself, because a path on this server is of no use to whoever reads it."""
    lines = [
        f"# Modelfile of {name.short}",
        "# A new model that begins with this one needs this line:",
        f"# FROM {name.short}",
        "",
        f"FROM {name.short}",
        f"TEMPLATE {quoted(content.template or DEFAULT_TEMPLATE)}",
    ]
    if content.system:
        lines.append(f"SYSTEM {quoted(content.system)}")
    lines += [f"PARAMETER {option} {quoted(_plain(value))}" for option, value in _values(content.params)]
    lines += [f"LICENSE {quoted(text)}" for text in content.licenses]
    lines += [f"MESSAGE {message.role} {quoted(message.content)}" for message in content.messages]
    return "\n".join(lines) + "\n"


def print_parameters(params: Mapping[str, object]) -> str:
    """One line per value: the name in 30 columns, then the value in Go's syntax."""
    return "\n".join(f"{option:<{_NAME_COLUMNS}} {_go_syntax(value)}" for option, value in _values(params))


def quoted(text: str) -> str:
    """Wrap text in quotes where the bare form would not read back."""
    if "\n" not in text and not text.startswith(" ") and not text.endswith(" "):
        return text
    return f'"""{text}"""' if '"' in text else f'"{text}"'


def _values(params: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Every option with each of its values, in the order of the names."""
    for option in sorted(params):
        value = params[option]
        for item in value if isinstance(value, list | tuple) else (value,):
            yield option, item


def _plain(value: object) -> str:
    return value if isinstance(value, str) else _go_syntax(value)


def _go_syntax(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return go_number(value)
        case str():
            return go_quoted(value)
    return "<nil>" if value is None else go_quoted(str(value))
