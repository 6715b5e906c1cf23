"""A model's content, printed as the text that would build it again."""

import pytest

from services.registry.content import ModelContent
from services.registry.modelfile import print_modelfile, print_parameters, quoted
from shared.generation import Message
from shared.model_name import parse_model_name


def test_every_part_is_printed_in_ollamas_order() -> None:
    content = ModelContent(
        system="Be brief.",
        template="{{ .Prompt }}!",
        params={"temperature": 0.6, "stop": ["<a>", "<b>"], "num_ctx": 4096, "use_mmap": False},
        messages=(Message("user", "hi"), Message("assistant", "two\nlines")),
        licenses=("MIT",),
    )
    assert print_modelfile(parse_model_name("team/bot"), content).splitlines()[3:] == [
        "",
        "FROM team/bot:latest",
        "TEMPLATE {{ .Prompt }}!",
        "SYSTEM Be brief.",
        "PARAMETER num_ctx 4096",
        "PARAMETER stop <a>",
        "PARAMETER stop <b>",
        "PARAMETER temperature 0.6",
        "PARAMETER use_mmap false",
        "LICENSE MIT",
        "MESSAGE user hi",
        'MESSAGE assistant "two',
        'lines"',
    ]


def test_a_model_without_a_template_prints_ollamas_default() -> None:
    text = print_modelfile(parse_model_name("bot"), ModelContent())
    assert text.endswith("FROM bot:latest\nTEMPLATE {{ .Prompt }}\n")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain", "plain"), ('with "quotes" inside', 'with "quotes" inside'), (" leading", '" leading"'),
        ("trailing ", '"trailing "'), ("two\nlines", '"two\nlines"'), ('two\n"lines"', '"""two\n"lines""""'), ("", ""),
    ],
)  # fmt: skip
def test_text_is_quoted_where_it_would_not_read_back(text: str, printed: str) -> None:
    assert quoted(text) == printed


def test_parameters_are_columns_of_go_values() -> None:
    params = {"stop": ["<|eot_id|>", "\n"], "temperature": 0.6, "use_mmap": True}
    assert print_parameters(params).splitlines() == [
        'stop                           "<|eot_id|>"',
        'stop                           "\\n"',
        "temperature                    0.6",
        "use_mmap                       true",
    ]
    assert print_parameters({}) == ""
