"""What serving needs to know is derived from the header alone."""

import io

import pytest

from fakes import gguf_files as fake
from services.registry.gguf import read_header
from services.registry.model_facts import ModelFacts, chat_template, facts_of, human_parameters
from shared.errors import ModelFileInvalid
from shared.template_budget import SOURCE_CHARS_MAX


def facts(**changes: bytes) -> ModelFacts:
    content = fake.tiny_model(**changes)
    return facts_of(read_header(io.BytesIO(content), len(content)))


def test_the_facts_of_a_plain_model() -> None:
    tiny = facts()
    assert tiny == ModelFacts(
        architecture="llama", role="model", parameter_count=2560, file_type="Q8_0", context_length=512,
        embedding_length=64, block_count=2, kv_bytes_per_token=2 * 2 * (16 + 16) * 2, is_embedding=False,
        chat_template="{{ messages }}",
    )  # fmt: skip


def test_key_and_value_lengths_replace_the_head_size() -> None:
    changed = facts(
        llama__attention__key_length=fake.typed("u32", 24), llama__attention__value_length=fake.typed("u32", 8)
    )
    assert changed.kv_bytes_per_token == 2 * 2 * (24 + 8) * 2


def test_head_counts_may_differ_from_layer_to_layer() -> None:
    assert facts(llama__attention__head_count_kv=fake.array("i32", [4, 1])).kv_bytes_per_token == 5 * 32 * 2


def test_pooling_makes_an_embedding_model() -> None:
    assert facts(llama__pooling_type=fake.typed("u32", 1)).is_embedding


@pytest.mark.parametrize(
    ("number", "name"), [(3, "Q4_1"), (15, "Q4_K_M"), (32, "BF16"), (0, "unknown"), (999, "unknown")]
)
def test_file_types_have_names(number: int, name: str) -> None:
    assert facts(general__file_type=fake.typed("u32", number)).file_type == name


def test_weights_that_were_not_quantized_are_known_by_their_type() -> None:
    assert [facts(general__file_type=fake.typed("u32", number)).precision for number in (0, 1, 32, 7, 999)] == [
        "F32", "F16", "BF16", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(("number", "name"), [(0, "F32"), (1, "F16"), (30, "BF16"), (24, "")])
def test_a_file_without_a_type_is_what_most_of_its_weights_are(number: int, name: str) -> None:
    small, large = fake.tensor("a", (8,)), fake.tensor("b", (64,), type_number=number, offset=32)
    content = fake.gguf({"general.architecture": fake.string("x")}, [small, large], data_bytes=32 + 64 * 4)
    assert facts_of(read_header(io.BytesIO(content), len(content))).precision == name


def test_encoders_are_counted_and_named() -> None:
    model = facts(
        llama__vision__block_count=fake.typed("u32", 24), llama__audio__block_count=fake.typed("u32", 12),
        clip__has_audio_encoder=fake.typed("bool", True), clip__projector_type=fake.string("mlp"),
    )  # fmt: skip
    assert (model.vision_blocks_count, model.audio_blocks_count) == (24, 12)
    assert (model.has_audio_encoder, model.projector_type) == (True, "mlp")


def test_a_chat_template_too_long_to_be_one_is_not_kept() -> None:
    assert facts(tokenizer__chat_template=fake.string("x" * (SOURCE_CHARS_MAX + 1))).chat_template == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"general__architecture": fake.string("")},
        {"general__architecture": fake.typed("u32", 1)},
        {"llama__block_count": fake.typed("u32", 4097)},
        {"llama__context_length": fake.string("many")},
        {"llama__context_length": fake.typed("i32", -1)},
        {"llama__embedding_length": fake.typed("f32", 1.5)},
        {"llama__attention__head_count_kv": fake.strings(["2"])},
        {"llama__attention__head_count": fake.typed("bool", True)},
    ],
)
def test_nonsense_in_keys_that_matter_is_refused(changes: dict[str, bytes]) -> None:
    with pytest.raises(ModelFileInvalid):
        facts(**changes)


def test_the_real_model() -> None:
    path = fake.real_model()
    with path.open("rb") as file:
        header = read_header(file, path.stat().st_size)
    real = facts_of(header)
    assert (real.architecture, real.file_type, real.block_count, real.context_length) == ("llama", "Q4_1", 30, 8192)
    assert human_parameters(real.parameter_count) == "134.52M"
    assert real.kv_bytes_per_token == 30 * 3 * (64 + 64) * 2
    assert "<|im_start|>" in chat_template(header)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (8_000_000_000, "8B"), (8_030_261_312, "8.0B"), (3_212_749_888, "3.2B"), (137_000_000, "137M"),
        (22_565_376, "22.57M"), (12_345, "12K"), (999, "999"), (0, "0"),
    ],
)  # fmt: skip
def test_parameters_are_counted_as_people_write_them(count: int, text: str) -> None:
    assert human_parameters(count) == text
