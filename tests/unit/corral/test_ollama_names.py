"""Ollama's variables as the command line reads them."""

import pytest

from corral.client import base_url
from corral.ollama_names import adopted, with_adopted


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1:9999", "9999"),
        (":9999", "9999"),
        ("0.0.0.0", "11434"),
        ("http://localhost", "80"),
        ("https://[::1]", "443"),
        (' "[::1]:9999" ', "9999"),
    ],
)
def test_the_port_on_this_machine_is_ollamas(host: str, port: str) -> None:
    assert with_adopted({"OLLAMA_HOST": host})["CORRAL_PORT"] == port
    assert base_url(with_adopted({"OLLAMA_HOST": host})) == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "host", ["gpu-box:9999", "http://10.0.0.5:9999", "ftp://localhost:1", "localhost:web", "", "[::"]
)
def test_another_machine_and_nonsense_say_nothing(host: str) -> None:
    assert adopted({"OLLAMA_HOST": host}) == ()


def test_the_store_is_ollamas() -> None:
    assert with_adopted({"OLLAMA_MODELS": "/srv/models"})["CORRAL_MODELS_DIR"] == "/srv/models"


@pytest.mark.parametrize(
    "ours", [{"CORRAL_PORT": "1", "CORRAL_MODELS_DIR": "/a"}, {"CORRAL_PORT": "1", "CORRAL_REGISTRY_MODELS_DIR": "/a"}]
)
def test_our_own_variables_win(ours: dict[str, str]) -> None:
    environ = {"OLLAMA_HOST": ":9999", "OLLAMA_MODELS": "/b", **ours}
    assert with_adopted(environ) == environ
