"""One model as others see it: what it can do, what a worker opens, what `show` tells."""

import io
from typing import Any

import msgspec

from fakes import gguf_files as fake
from services.registry.content import ModelContent
from services.registry.describe import Known, Opened, ShowChanges, index_entry, listing_row, show_reply
from services.registry.gguf import read_header
from services.registry.manifest_store import StoredManifest
from services.registry.model_facts import facts_of
from shared.digest import digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType, ModelConfig
from shared.model_index import ModelEntry
from shared.model_name import parse_model_name

WEIGHTS = Layer(media_type=MediaType.MODEL, digest=digest_of(b"weights"), size=100)
ADAPTERS = tuple(
    Layer(media_type=MediaType.ADAPTER, digest=digest_of(name), size=size) for name, size in ((b"a", 10), (b"b", 5))
)
PROJECTOR = Layer(media_type=MediaType.PROJECTOR, digest=digest_of(b"p"), size=20)
CONTENT = ModelContent(template="{{ .Prompt }}")
NO_CHANGES = ShowChanges(system="", options={})
TOOLS_JINJA = "{% if tools %}{{ tools }}{% endif %}{% if message.role == 'tool' %}{{ tool_calls }}{% endif %}"


def opened(**changes: bytes) -> Opened:
    content = fake.tiny_model(**changes)
    header = read_header(io.BytesIO(content), len(content))
    return Opened(header=header, facts=facts_of(header), read_items=None)


def known(
    *layers: Layer, config: ModelConfig | None = None, template: str | None = None, projector: Opened | None = None,
    **changes: bytes,
) -> Known:  # fmt: skip
    manifest = Manifest(
        config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=digest_of(b"c"), size=1), layers=(WEIGHTS, *layers)
    )
    return Known(
        stored=StoredManifest(
            name=parse_model_name("bot"), manifest=manifest, digest="d" * 64, modified_unix_ns=1_700_000_000 * 10**9
        ),
        config=config or ModelConfig(model_family="llama"),
        template=template,
        facts=opened(**changes).facts,
        projectors=() if projector is None else (projector.facts,),
    )


def clip(**changes: bytes) -> Opened:
    return opened(general__architecture=fake.string("clip"), **changes)


def entry(found: Known, content: ModelContent = CONTENT) -> ModelEntry:
    result = index_entry(found, content)
    assert result is not None
    return result


def capabilities(found: Known) -> set[str]:
    row, shown = listing_row(found.stored, found.config, found), shown_of(found)
    assert row["capabilities"] == shown["capabilities"] == list(entry(found).capabilities)
    return set(entry(found).capabilities)


def shown_of(found: Known, projector: Opened | None = None, **weights: bytes) -> dict[str, Any]:
    return show_reply(found, ModelContent(template=found.template), opened(**weights), projector, NO_CHANGES)


def test_capabilities_come_from_template_file_config_and_projector() -> None:
    assert capabilities(known()) == {"completion"}
    assert capabilities(known(llama__pooling_type=fake.typed("u32", 1))) == {"embedding"}
    assert capabilities(known(template="{{ .Prompt }}{{ .Suffix }}")) == {"completion", "insert"}
    assert capabilities(known(config=ModelConfig(parser="qwen3-thinking"))) == {"completion", "tools", "thinking"}
    assert capabilities(known(config=ModelConfig(capabilities=("image",)))) == {"completion", "image"}
    assert capabilities(known(llama__vision__block_count=fake.typed("u32", 4))) == {"completion", "vision"}
    hears = {"clip__has_audio_encoder": fake.typed("bool", True)}
    assert capabilities(known(PROJECTOR, projector=clip())) == {"completion", "vision"}
    assert capabilities(known(PROJECTOR, projector=clip(**hears))) == {"completion", "vision", "audio"}
    deaf = clip(**hears, clip__projector_type=fake.string("gemma3nv"))
    assert capabilities(known(PROJECTOR, projector=deaf)) == {"completion", "vision"}


def test_the_listing_tells_only_what_needs_no_look_at_the_files_own_template() -> None:
    found = known(tokenizer__chat_template=fake.string(TOOLS_JINJA))
    assert set(shown_of(found)["capabilities"]) == set(entry(found).capabilities) == {"completion", "tools"}
    assert listing_row(found.stored, found.config, found)["capabilities"] == ["completion"]


def test_names_that_share_weights_share_what_is_resident_unless_adapters_or_projector_differ() -> None:
    plain, adapted = entry(known()), entry(known(*ADAPTERS))
    assert (plain.weights, plain.weights_blob, plain.adapters) == (WEIGHTS.digest, WEIGHTS.digest, ())
    assert adapted.weights not in (plain.weights, entry(known(*reversed(ADAPTERS))).weights)
    seeing = entry(known(*ADAPTERS, PROJECTOR))
    assert seeing.weights not in (plain.weights, adapted.weights, entry(known(PROJECTOR)).weights)
    assert seeing.weights_blob == entry(known(PROJECTOR)).weights_blob == WEIGHTS.digest
    assert seeing.weights_bytes == adapted.weights_bytes + PROJECTOR.size
    assert adapted.weights_blob == WEIGHTS.digest
    assert adapted.adapters == tuple(layer.digest for layer in ADAPTERS)
    assert (plain.weights_bytes, adapted.weights_bytes) == (100, 115)


def test_the_index_says_what_else_the_model_needs() -> None:
    found = entry(known(PROJECTOR, config=ModelConfig(parser="p"), projector=clip()))
    assert (found.projector, found.parser) == (PROJECTOR.digest, "p")


def test_the_index_names_a_template_only_where_it_is_the_one_that_is_used() -> None:
    more, plain = fake.string(TOOLS_JINJA), "{{ .Prompt }}"
    assert entry(known(template=plain)).template == plain
    assert entry(known(template=plain, tokenizer__chat_template=more)).template is None
    with_parser = known(template=plain, config=ModelConfig(parser="qwen3"), tokenizer__chat_template=more)
    assert entry(with_parser).template == plain
    assert entry(known(template=plain, config=ModelConfig(renderer="gemma4"))).template is None


def test_show_tells_the_template_that_is_used() -> None:
    tools = fake.string(TOOLS_JINJA)
    plain = "{{ .System }}{{ .Prompt }}"
    assert shown_of(known())["template"] == "{{ messages }}"
    assert shown_of(known(template=plain))["template"] == plain
    more = known(template=plain, tokenizer__chat_template=tools)
    assert shown_of(more, tokenizer__chat_template=tools)["template"] == TOOLS_JINJA
    nothing = fake.string("")
    assert shown_of(known(tokenizer__chat_template=nothing), tokenizer__chat_template=nothing)["template"] == (
        "{{ .Prompt }}"
    )


def test_show_tells_the_projectors_metadata_and_a_clients_basename() -> None:
    found = known(PROJECTOR, projector=clip())
    shown = shown_of(found, clip(clip__projector_type=fake.string("mlp")))
    assert shown["projector_info"]["clip.projector_type"] == "mlp"
    assert shown["projector_info"]["general.parameter_count"] == 2560
    assert f"# FROM {PROJECTOR.digest}\n" in shown["modelfile"]
    assert "projector_info" not in shown_of(known())
    renamed = show_reply(found, CONTENT, opened(), None, NO_CHANGES, basename="asked")
    assert msgspec.to_builtins(renamed)["model_info"]["general.basename"] == "asked"
