"""`show`: what a model is made of."""

import argparse
from collections.abc import Iterator

from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.format import human_count, table

Rows = list[tuple[str, ...]]

PARTS = ("license", "modelfile", "parameters", "system", "template")
TEXT_LINES_SHOWN = 2
LIST_ITEMS_SHOWN = 3


def add_parsers(commands: Subparsers) -> None:
    showing = commands.add_parser("show", help="show what a model is made of")
    showing.add_argument("model")
    showing.add_argument("-v", "--verbose", action="store_true", help="with all metadata and tensors")
    part = showing.add_mutually_exclusive_group()
    for name in PARTS:
        part.add_argument(f"--{name}", dest="part", action="store_const", const=name, help=f"only the {name}")
    showing.set_defaults(run=show_model)


def show_model(arguments: argparse.Namespace, client: Client) -> None:
    reply = client.call("POST", "/api/show", {"model": arguments.model, "verbose": arguments.verbose})
    if arguments.part:
        text = reply.get(arguments.part)
        if not text:
            raise CliError(f"model '{arguments.model}' has no {arguments.part}")
        print(text)
        return
    print(render(reply, verbose=arguments.verbose), end="")


def render(reply: Json, *, verbose: bool = False) -> str:
    """The sections that have content, each followed by an empty line."""
    shown = ((title, rows) for title, rows in sections(reply, verbose=verbose) if rows)
    return "".join(f"  {title}\n{table(rows, indent=4)}\n\n" for title, rows in shown)


def sections(reply: Json, *, verbose: bool) -> Iterator[tuple[str, Rows]]:
    yield "Model", model_rows(reply)
    yield "Capabilities", [(name,) for name in reply.get("capabilities") or ()]
    yield "Projector", projector_rows(reply.get("projector_info") or {})
    yield "Parameters", parameter_rows(reply.get("parameters") or "")
    if verbose:
        yield (
            "Metadata",
            [(key, metadata_text(value)) for key, value in sorted((reply.get("model_info") or {}).items())],
        )
        yield "Tensors", [tensor_row(tensor) for tensor in reply.get("tensors") or ()]
    yield "System", excerpt(reply.get("system") or "")
    yield "License", excerpt(reply.get("license") or "")


def model_rows(reply: Json) -> Rows:
    info: Json = reply.get("model_info") or {}
    details: Json = reply.get("details") or {}
    architecture = info.get("general.architecture") or details.get("family")
    rows = (
        ("architecture", architecture),
        ("parameters", details.get("parameter_size") or human_count(int(info.get("general.parameter_count") or 0))),
        ("context length", info.get(f"{architecture}.context_length")),
        ("embedding length", info.get(f"{architecture}.embedding_length")),
        ("quantization", details.get("quantization_level")),
        ("requires", reply.get("requires")),
    )
    return [(name, str(value)) for name, value in rows if value]


def projector_rows(info: Json) -> Rows:
    architecture = info.get("general.architecture")
    rows = (
        ("architecture", architecture),
        ("parameters", human_count(int(info.get("general.parameter_count") or 0))),
        ("embedding length", info.get(f"{architecture}.vision.embedding_length")),
        ("dimensions", info.get(f"{architecture}.vision.projection_dim")),
    )
    return [(name, str(value)) for name, value in rows if value]


def metadata_text(value: object) -> str:
    """A value in a few words: of a list its first items, and how many more there are."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case list():
            items = [metadata_text(item) for item in value[:LIST_ITEMS_SHOWN]]
            rest = len(value) - len(items)
            return f"[{' '.join(items)}{f' ...+{rest} more' if rest else ''}]"
    return "-" if value is None else str(value)


def tensor_row(tensor: Json) -> tuple[str, ...]:
    return (tensor["name"], tensor["type"], f"[{' '.join(map(str, tensor['shape']))}]")


def parameter_rows(text: str) -> Rows:
    """The lines of the reply's text, each a name and a value."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(pair[0], pair[1].strip() if len(pair) > 1 else "") for pair in pairs]


def excerpt(text: str) -> Rows:
    """The first lines that are not empty, and an ellipsis where there are more."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    shown = [(line,) for line in lines[:TEXT_LINES_SHOWN]]
    return [*shown, ("...",)] if len(lines) > TEXT_LINES_SHOWN else [*shown]
