"""Which uploaded file is which part of a model."""

import io

import pytest

from fakes import gguf_files as fake
from services.registry.building.files import (
    Folder,
    GgufFile,
    Role,
    adapter_of,
    draft_of,
    ggufs_of,
    is_folder,
    model_of,
    projectors_of,
)
from services.registry.building.ingredients import Files, Ingredients, Wishes, check, ingredients_of
from services.registry.gguf import read_header
from shared.digest import digest_of
from shared.errors import CorralError, ModelFileInvalid, ParameterInvalid, QuantizationUnsupported

ARCHITECTURE = {"general.architecture": fake.string("llama")}
CLIP = fake.gguf({"general.architecture": fake.string("clip")})
ADAPTER = fake.gguf({**ARCHITECTURE, "general.type": fake.string("adapter")})
F16 = fake.tiny_model(general__file_type=fake.typed("u32", 1))
FOLDER = Folder(files={"model.safetensors": digest_of(b"")})


def file(content: bytes, name: str = "m.gguf") -> GgufFile:
    header = read_header(io.BytesIO(content), len(content))
    return GgufFile(name=name, digest=digest_of(content + name.encode()), size_bytes=len(content), header=header)


def ggufs(*contents: bytes) -> Files:
    return ggufs_of([file(content, f"{index}.gguf") for index, content in enumerate(contents)])


def refusal(files: Files = (), adapters: Files = (), drafts: Files = (), *, has_base: bool = False) -> str:
    with pytest.raises(ParameterInvalid) as refused:
        ingredients_of(files, adapters, drafts, has_base=has_base)
    return refused.value.message


@pytest.mark.parametrize(
    ("metadata", "role"),
    [
        (ARCHITECTURE, Role.WEIGHTS),
        ({**ARCHITECTURE, "general.type": fake.string("model")}, Role.WEIGHTS),
        ({**ARCHITECTURE, "general.type": fake.string("adapter")}, Role.ADAPTER),
        ({**ARCHITECTURE, "general.type": fake.string("projector")}, Role.PROJECTOR),
        ({**ARCHITECTURE, "general.type": fake.string("mmproj")}, Role.PROJECTOR),
        ({"general.architecture": fake.string("clip")}, Role.PROJECTOR),
    ],
)
def test_a_file_says_what_it_is(metadata: dict[str, bytes], role: Role) -> None:
    (gguf,) = ggufs_of([file(fake.gguf(metadata))])
    assert gguf.role is role


def test_other_files_are_no_part_of_a_model() -> None:
    with pytest.raises(ParameterInvalid):
        ggufs_of([file(fake.gguf({**ARCHITECTURE, "general.type": fake.string("imatrix")}))])


def shards(*numbers: int, count: int = 3, tensors: int = 1) -> list[GgufFile]:
    return [
        file(
            fake.gguf(
                {**(ARCHITECTURE if number == 1 else {}), "split.tensors.count": fake.typed("i32", tensors * count)},
                [fake.tensor(f"t{number}.{index}", (32,)) for index in range(tensors)],
                data_bytes=128 * tensors,
            ),
            f"x/model-{number:05}-of-{count:05}.gguf",
        )
        for number in numbers
    ]


def test_splits_are_gathered_in_their_order() -> None:
    model, projector = ggufs_of([file(CLIP, "p.gguf"), *shards(3, 1, 2)])[::-1]
    assert [one.name[-8:-5] for one in model.files] == ["003"] * 3
    assert [one.name[8:13] for one in model.files] == ["00001", "00002", "00003"]
    assert (model.role, model.facts.parameter_count) == (Role.WEIGHTS, 96)
    assert projector.role is Role.PROJECTOR


@pytest.mark.parametrize("numbers", [(1, 2), (1, 2, 4), (2,)])
def test_splits_that_are_not_all_there_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        ggufs_of(shards(*numbers))
    assert refused.value.message == f"x/model has 3 parts, and {len(numbers)} of them were given"


def test_splits_of_different_models_are_refused() -> None:
    mixed = [*shards(1, 2), *shards(3, tensors=2)]
    with pytest.raises(ModelFileInvalid) as refused:
        ggufs_of(mixed)
    assert "they have 4 tensors, and the first says there are 3" in refused.value.message


def test_a_model_is_one_model_and_projectors() -> None:
    weights, projectors = model_of(ggufs_of([file(CLIP, "p"), file(fake.tiny_model(), "m"), file(CLIP, "q")]))
    assert weights.role is Role.WEIGHTS
    assert [one.files[0].name for one in projectors] == ["p", "q"]


def test_parts_in_the_wrong_place_are_refused() -> None:
    tiny = fake.tiny_model()
    assert refusal(ggufs(tiny, tiny)) == "a model is made of one model file, and 2 were given"
    assert refusal(ggufs(CLIP)) == "a model is made of one model file, and 0 were given"
    assert "an adapter changes another model" in refusal(ggufs(ADAPTER))
    only_projectors = "beside a model that exists, only projectors can be added as files"
    assert refusal(ggufs(tiny), has_base=True) == only_projectors
    assert refusal(FOLDER, has_base=True) == only_projectors
    assert refusal((), ggufs(ADAPTER, ADAPTER), has_base=True) == "only one adapter is currently supported"
    assert refusal((), ggufs(tiny), has_base=True) == "the file given as adapter is none"
    assert refusal((), (), ggufs(ADAPTER), has_base=True) == "a DRAFT is one model file"


def test_every_part_finds_its_place() -> None:
    tiny, projector, adapter = ggufs(fake.tiny_model()), ggufs(CLIP), ggufs(ADAPTER)
    assert isinstance(tiny, tuple)
    assert isinstance(projector, tuple)
    assert isinstance(adapter, tuple)
    assert ingredients_of(FOLDER, FOLDER, FOLDER, has_base=False) == Ingredients(
        model=FOLDER, adapter=FOLDER, draft=FOLDER
    )
    assert ingredients_of((), (), (), has_base=True) == Ingredients()
    assert ingredients_of(projector, adapter, tiny, has_base=True) == Ingredients(
        projectors=projectors_of(projector), adapter=adapter_of(adapter), draft=draft_of(tiny)
    )


def test_a_folder_is_told_by_its_safetensors() -> None:
    assert is_folder({"config.json": digest_of(b""), "model.safetensors": digest_of(b"")})
    assert not is_folder({"model.gguf": digest_of(b"")})
    assert not is_folder({})


def problem(files: Files = (), adapters: Files = (), drafts: Files = (), **wishes: str) -> type[CorralError] | None:
    ingredients = ingredients_of(files, adapters, drafts, has_base=not files)
    try:
        check(ingredients, Wishes(**wishes), None, has_base=not files)
    except CorralError as error:
        return type(error)
    return None


def test_what_cannot_be_quantized_or_adapted_shows_before_anything_is_made() -> None:
    tiny, f16 = ggufs(fake.tiny_model()), ggufs(F16)
    other = ggufs(fake.gguf({"general.architecture": fake.string("gemma"), "general.type": fake.string("adapter")}))
    assert problem(f16, ggufs(ADAPTER), f16, quantize="Q8_0", draft_quantize="Q8_0") is None
    assert problem(tiny, quantize="Q8_0") is QuantizationUnsupported
    assert problem(f16, drafts=tiny, draft_quantize="Q8_0") is QuantizationUnsupported
    assert problem(f16, other) is ParameterInvalid
    assert problem((), quantize="Q8_0") is ParameterInvalid
    assert problem((), ggufs(ADAPTER)) is ParameterInvalid
    assert problem(FOLDER, quantize="Q8_0") is None
