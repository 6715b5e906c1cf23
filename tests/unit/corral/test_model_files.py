"""Which files a path in a Modelfile stands for, and what they are called in the request."""

from pathlib import Path

import pytest

from corral.errors import CliError
from corral.model_files import files_of, named, required_files_of


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")


def names_in(folder: Path, *, of_adapter: bool = False) -> list[str]:
    files = files_of(".", folder, of_adapter=of_adapter)
    assert files is not None
    return sorted(named(files))


def test_a_file_is_found_beside_the_modelfile_or_by_its_whole_path(tmp_path: Path) -> None:
    fill(tmp_path, "w.gguf")
    assert files_of("w.gguf", tmp_path) == files_of("./w.gguf", tmp_path) == [tmp_path / "w.gguf"]
    assert files_of(str(tmp_path / "w.gguf"), Path("/")) == [tmp_path / "w.gguf"]


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "w.gguf")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files_of("~/w.gguf", Path("/")) == [tmp_path / "w.gguf"]
    assert files_of("~nobody-of-this-name/w.gguf", tmp_path) is None


@pytest.mark.parametrize("text", ["llama3:8b", "hf.co/a/b:Q4_K_M", "x" * 5000, f"a@sha256:{'0' * 64}"])
def test_what_is_not_there_is_not_a_file(text: str, tmp_path: Path) -> None:
    assert files_of(text, tmp_path) is None
    with pytest.raises(CliError, match="no such file or folder"):
        required_files_of("ADAPTER", text, tmp_path)


def test_a_folder_brings_its_weights_and_what_belongs_to_them(tmp_path: Path) -> None:
    fill(tmp_path, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json")
    fill(tmp_path, "tokenizer.json", "tokenizer.model", "chat_template.jinja", "1_Pooling/config.json")
    fill(tmp_path, "README.md", "other.gguf", "training_args.bin", "a/b/deep.json")
    assert names_in(tmp_path) == [
        "1_Pooling/config.json",
        "chat_template.jinja",
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "tokenizer.json",
        "tokenizer.model",
    ]


def test_weights_one_level_down_belong_to_weights_on_top(tmp_path: Path) -> None:
    fill(tmp_path, "model.safetensors", "2_Dense/model.safetensors")
    assert names_in(tmp_path) == ["2_Dense/model.safetensors", "model.safetensors"]


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["consolidated.safetensors", "x.gguf"], "consolidated.safetensors"),
        (["pytorch_model.bin", "x.gguf"], "pytorch_model.bin"),
        (["consolidated.00.pth", "x.gguf"], "consolidated.00.pth"),
        (["x.gguf", "x.bin"], "x.gguf"),
        (["x.bin"], "x.bin"),
    ],
)
def test_the_first_kind_of_weights_that_is_there_is_taken(there: list[str], taken: str, tmp_path: Path) -> None:
    fill(tmp_path, *there)
    assert names_in(tmp_path) == [taken]


def test_an_adapters_folder_has_its_own_weights(tmp_path: Path) -> None:
    fill(tmp_path, "adapter_model.safetensors", "adapter_config.json")
    assert names_in(tmp_path, of_adapter=True) == ["adapter_config.json", "adapter_model.safetensors"]


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "config.json", "adapter_model.safetensors")
    with pytest.raises(CliError, match="no Modelfile or safetensors files found"):
        files_of(".", tmp_path)


def test_a_link_within_the_folder_keeps_its_name(tmp_path: Path) -> None:
    fill(tmp_path, "blobs/abc")
    (tmp_path / "model.safetensors").symlink_to("blobs/abc")
    assert names_in(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize(("outside", "hint"), [("elsewhere/w", ""), (".cache/w", "--local-dir")])
def test_a_link_out_of_the_folder_is_refused(outside: str, hint: str, tmp_path: Path) -> None:
    fill(tmp_path, outside)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(tmp_path / outside)
    with pytest.raises(CliError, match=rf"insecure path: \.\./{outside}.*{hint}"):
        files_of(".", folder)


def test_a_folder_that_is_itself_reached_by_a_link_is_fine(tmp_path: Path) -> None:
    fill(tmp_path / "real", "model.safetensors")
    (tmp_path / "link").symlink_to("real")
    assert names_in(tmp_path / "link") == ["model.safetensors"]


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(CliError, match="git lfs pull"):
        files_of(".", tmp_path)


def test_names_are_relative_to_the_common_folder_of_all_files(tmp_path: Path) -> None:
    fill(tmp_path, "a/w.gguf", "b/c/mmproj.gguf")
    files = [tmp_path / "a/../a/w.gguf", tmp_path / "b/c/mmproj.gguf"]
    assert named(files) == {"a/w.gguf": tmp_path / "a/w.gguf", "b/c/mmproj.gguf": tmp_path / "b/c/mmproj.gguf"}
    assert list(named(files[:1])) == ["w.gguf"]
    assert named([]) == {}
