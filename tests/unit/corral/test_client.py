"""Where the command line looks for its cluster."""

import pytest

from corral.client import base_url


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:11434"),
        ({"CORRAL_PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"CORRAL_HOST": "llm.internal"}, "http://llm.internal:11434"),
        ({"CORRAL_HOST": "10.0.0.5:8080"}, "http://10.0.0.5:8080"),
        ({"CORRAL_HOST": "https://llm.internal/"}, "https://llm.internal"),
        ({"CORRAL_HOST": "[::1]:99"}, "http://[::1]:99"),
        ({"CORRAL_HOST": " 'host' ", "CORRAL_PORT": "1"}, "http://host:11434"),
    ],
)
def test_the_address_comes_from_the_environment(environ: dict[str, str], url: str) -> None:
    assert base_url(environ) == url
