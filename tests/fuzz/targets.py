"""What is fuzzed: for each reader of foreign text or bytes, inputs to try and what must hold for every one of them.

A check fails by any error that is not the reader's own refusal. Inputs are good examples with pieces changed, inserted,
repeated and removed, because random text alone never gets behind the first check of a grammar.
"""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from corral.modelfile import ModelfileInvalid, decode, parse, print_modelfile
from fakes import gguf_files
from services.registry.conversion.safetensors import read_checkpoint
from services.registry.conversion.source import Source
from services.registry.distribution.names import parse_repository, repository_path
from services.registry.gguf import read_header
from services.registry.manifest_store import decode_manifest, encode_manifest
from services.registry.model_facts import facts_of
from services.registry.paths import StorePaths
from services.registry.transfers.pull_plan import wanted_blobs
from shared.digest import digest_of, parse_digest
from shared.errors import (
    CapabilityMissing,
    DigestInvalid,
    ModelFileInvalid,
    ModelNameInvalid,
    TemplateFailed,
    TemplateInvalid,
)
from shared.go_template import parse_template, render
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import parse_model_name

STORE: Final = Path("/store")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`check` takes one input and raises what is wrong with how it was read."""

    name: str
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]


def edited(good: bytes, pieces: tuple[bytes, ...] = ()) -> st.SearchStrategy[bytes]:
    """`good` after up to eight edits: bytes of any kind or one of the `pieces`, in place of a stretch of it."""
    new = st.one_of(st.binary(max_size=12), st.sampled_from((*pieces, b"", b"\0", b"\xff" * 8, good[:64])))
    edit = st.tuples(st.integers(0, len(good)), st.integers(0, 24), new)

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        content = bytearray(good)
        for place, removed, inserted in edits:
            content[place : place + removed] = inserted
        return bytes(content)

    return st.lists(edit, max_size=8).map(apply)


def edited_text(good: str, pieces: str) -> st.SearchStrategy[str]:
    """The same for text; `pieces` are separated by spaces."""
    content = edited(good.encode(), tuple(piece.encode() for piece in pieces.split(" ")))
    return st.one_of(st.text(max_size=60), content.map(lambda raw: raw.decode("utf-8", "replace")))


def check_name(text: str) -> None:
    """A name is refused, or its paths lie in the store and it reads back."""
    for read in (parse_model_name, parse_repository):
        try:
            name = read(text)
        except ModelNameInvalid:
            continue
        path = StorePaths(STORE).manifest(name)
        assert path.relative_to(STORE / "manifests").parts == (name.host, name.namespace, name.model, name.tag)
        assert not {".", ".."} & set(path.parts)
        assert "\0" not in str(path)
        assert parse_model_name(name.full) == parse_model_name(name.short) == name
        assert parse_repository(repository_path(name), name.tag) == name
    try:
        blob = StorePaths(STORE).blob(parse_digest(text))
    except DigestInvalid:
        return
    assert blob.parent == STORE / "blobs"


def check_modelfile(content: bytes) -> None:
    """A Modelfile is refused, or its printed form reads back as the same."""
    try:
        recipe = parse(decode(content))
    except ModelfileInvalid:
        return
    printed = print_modelfile(recipe)
    assert print_modelfile(parse(printed)) == printed


TEMPLATE_DATA: Final = {
    "System": "You are <b>",
    "Prompt": "Hi",
    "Messages": [
        {"Role": "user", "Content": "a"},
        {"Role": "assistant", "ToolCalls": [{"Function": {"Name": "f", "Arguments": {"x": [1, None]}}}]},
    ],
    "Tools": [{"Type": "function", "Function": {"Name": "f", "Parameters": {"Properties": {}}}}],
    "Think": True,
    "N": -3,
}


def check_template(source: str) -> None:
    """A template is refused, renders, or fails in its own words."""
    try:
        template = parse_template(source)
    except TemplateInvalid:
        return
    try:
        assert isinstance(render(template, TEMPLATE_DATA), str)
    except TemplateFailed:
        return


def check_manifest(content: bytes) -> None:
    """A manifest is refused, or every blob it names has a canonical digest and it reads back."""
    try:
        manifest = decode_manifest(content)
        wanted = wanted_blobs(content)
    except (ModelFileInvalid, CapabilityMissing):
        return
    assert decode_manifest(encode_manifest(manifest)) == manifest
    assert {blob.digest for blob in wanted} == {layer.digest for layer in (manifest.config, *manifest.layers)}
    assert all(parse_digest(blob.digest) == blob.digest and blob.size_bytes >= 0 for blob in wanted)


def check_gguf(content: bytes) -> None:
    """A header is refused, or says things that fit the file."""
    try:
        header = read_header(io.BytesIO(content), len(content))
        facts_of(header)
    except ModelFileInvalid:
        return
    assert all(0 <= tensor.offset_bytes <= len(content) for tensor in header.tensors)


def check_safetensors(content: bytes) -> None:
    """A checkpoint is refused, or every tensor in it can be looked at."""
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(content)
        file.flush()
        try:
            checkpoint = read_checkpoint(Source({"model.safetensors": Path(file.name)}))
            for name in checkpoint.names:
                checkpoint.tensor(name, checkpoint.shape(name)).mapped().sum()
        except ModelFileInvalid:
            return


def _layer(media_type: str, content: bytes) -> Layer:
    return Layer(media_type=media_type, digest=digest_of(content), size=len(content))


_MANIFEST: Final = encode_manifest(
    Manifest(
        config=_layer(CONFIG_MEDIA_TYPE, b"config"),
        layers=(_layer(MediaType.MODEL, b"weights"), _layer(MediaType.TEMPLATE, b"{{ .Prompt }}")),
    )
)
_MODELFILE: Final = '''# A bot.
FROM ./weights.gguf
PARAMETER temperature 0.5
PARAMETER stop "<|end|>"
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM "You are
brief."
MESSAGE user Hi
MESSAGE assistant """Say "yes"."""
LICENSE MIT
ADAPTER ./lora
REQUIRES v0.14.0
'''
_TEMPLATE: Final = """{{- /* chat */ -}}
{{ define "turn" }}<|{{ .Role }}|>{{ .Content }}{{ end }}
{{- $last := "" }}{{ range $i, $m := .Messages }}{{ if and (eq .Role "user" "tool") (not .ToolCalls) }}
{{- template "turn" . }}{{ else if .ToolCalls }}{{ range .ToolCalls }}{{ json .Function.Arguments | printf "%q" }}
{{- end }}{{ continue }}{{ else }}{{ break }}{{ end }}{{ $last = .Role }}{{ else }}{{ .Prompt }}{{ end }}
{{- with .System }}{{ slice . 1 2 }}{{ len . }}{{ index $.Messages 0 }}{{ end }}{{ printf "%5.2f %v" 1e3 $last }}"""
_SAFETENSORS_HEADER: Final = (
    b'{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},'
    b'"__metadata__":{"format":"pt"}}'
)
_TINY_GGUF: Final = gguf_files.tiny_model()
_GGUF_HEADER_BYTES: Final = 1024

TARGETS: Final = (
    Target(
        name="names",
        inputs=edited_text(
            "registry.example:5000/team/support-bot:v1.2", "/ : // .. . @sha256: :// \0 ％ a" + "b" * 99
        ),
        check=check_name,
    ),
    Target(
        name="modelfiles",
        inputs=edited(
            _MODELFILE.encode(), (b'"""', b'"', b"\n", b"\r", b"FROM ", b"#", "\u200b".encode(), b"\xff\xfe")
        ),
        check=check_modelfile,
    ),
    Target(
        name="templates",
        inputs=edited_text(
            _TEMPLATE,
            '{{ }} {{- -}} ( ) | . $ $x := = "%s" ` \' {{range.Messages}} {{end}} {{if.N}} {{define"turn"}} '
            '{{template"turn".}} {{else}} {{break}} %*d 9999999999999999999 0x1p-2 -1 .Messages printf index slice',
        ),
        check=check_template,
    ),
    Target(
        name="manifests",
        inputs=edited(_MANIFEST, (b'"', b"{", b"[", b"-1", b"null", b"sha256-", b'"size":1e99', b"\\u0000", b"{}" * 9)),
        check=check_manifest,
    ),
    Target(
        name="gguf-headers",
        inputs=edited(_TINY_GGUF[:_GGUF_HEADER_BYTES], (b"\xff" * 4, (2**31).to_bytes(8, "little"), b"\t\0\0\0")).map(
            lambda header: header + _TINY_GGUF[_GGUF_HEADER_BYTES:]
        ),
        check=check_gguf,
    ),
    Target(
        name="safetensors-headers",
        inputs=edited(_SAFETENSORS_HEADER, (b"-1", b"[", b'"F64"', b"null", b"99999999999999999999", b"{}")).map(
            lambda header: len(header).to_bytes(8, "little") + header + bytes(22)
        ),
        check=check_safetensors,
    ),
)
