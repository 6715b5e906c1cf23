"""Modelfiles, the printing side: a model's content as the text that would build it again.

FROM names the model itself, because a path on this server is of no use to whoever reads it; so its weights, adapters,
projectors and drafts come with FROM and are told in comments. The same holds for what the grammar has no words for,
and for a chat template that lies in the weights' file.
"""

from collections.abc import Iterator, Mapping

from services.registry.content import ModelContent
from services.registry.go_text import go_number, go_quoted
from services.registry.modelfile_quoting import comment, quoted, reads_back
from shared.digest import Digest
from shared.errors import OptionTypeInvalid
from shared.manifest import MediaType, ModelConfig
from shared.model_name import ModelName
from shared.options import merged

_NAME_COLUMNS = 30
_ROLES = ("system", "user", "assistant")
_FILE_LINES = {MediaType.ADAPTER: "ADAPTER", MediaType.DRAFT: "DRAFT", MediaType.PROJECTOR: "FROM"}


def print_modelfile(
    name: ModelName, content: ModelContent, config: ModelConfig, files: Mapping[str, tuple[Digest, ...]]
) -> str:
    """`files` are the blobs of the model by media type."""
    lines = [
        f"# Modelfile of {name.short}",
        "# A new model that begins with this one needs this line:",
        f"# FROM {name.short}",
        "",
        f"FROM {name.short}",
        *_file_comments(files),
        *_instructions(content, config),
        *_parameters(content.params),
        *(_license(text) for text in content.licenses),
        *_messages(content),
    ]
    return "\n".join(lines) + "\n"


def _file_comments(files: Mapping[str, tuple[Digest, ...]]) -> Iterator[str]:
    for media_type, instruction in _FILE_LINES.items():
        for digest in files.get(media_type, ()):
            yield comment(f"{instruction} {digest}")


def _instructions(content: ModelContent, config: ModelConfig) -> Iterator[str]:
    if content.template is None:
        yield comment("TEMPLATE is in the weights' file")
    else:
        yield f"TEMPLATE {quoted(content.template)}"
    for instruction, text in (
        ("SYSTEM", content.system),
        ("RENDERER", config.renderer),
        ("PARSER", config.parser),
        ("REQUIRES", config.requires),
    ):
        if text:
            yield f"{instruction} {quoted(text)}"


def _parameters(params: Mapping[str, object]) -> Iterator[str]:
    for option, value in _values(params):
        line = f"{option} {quoted(_plain(value))}"
        # Stores of others hold names that no Modelfile may have.
        yield f"PARAMETER {line}" if _is_known(option, params[option]) else comment(f"PARAMETER {option} {value!r}")


def _is_known(option: str, value: object) -> bool:
    try:
        return bool(merged({option: value}))
    except OptionTypeInvalid:
        return False


def _license(text: str) -> str:
    """Licences are added to the model's, so one that would read back differently must not be there."""
    return f"LICENSE {quoted(text)}" if reads_back(text) else comment("LICENSE that a Modelfile cannot hold")


def _messages(content: ModelContent) -> Iterator[str]:
    """All or none, because they replace the model's."""
    if all(message.role in _ROLES for message in content.messages):
        yield from (f"MESSAGE {message.role} {quoted(message.content)}" for message in content.messages)
    else:
        yield comment(f"{len(content.messages)} MESSAGEs, some in roles that a Modelfile cannot hold")


def print_parameters(params: Mapping[str, object]) -> str:
    """One line per value: the name in 30 columns, then the value in Go's syntax."""
    return "\n".join(f"{option:<{_NAME_COLUMNS}} {_go_syntax(value)}" for option, value in _values(params))


def _values(params: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Every option with each of its values, in the order of the names."""
    for option in sorted(params):
        value = params[option]
        for item in value if isinstance(value, list | tuple) else (value,):
            yield option, item


def _plain(value: object) -> str:
    """A value as an instruction has it: whole numbers in all their digits, because exponents are no integers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
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
