"""A model's content, printed as the text that would build it again."""

import pytest

from services.registry.content import ModelContent
from services.registry.modelfile import print_modelfile, print_parameters
from services.registry.modelfile_quoting import comment, quoted, reads_back
from shared.digest import Digest, digest_of
from shared.generation import Message
from shared.manifest import MediaType, ModelConfig
from shared.model_name import parse_model_name

BLOB = digest_of(b"blob")


def printed(
    content: ModelContent | None = None,
    config: ModelConfig | None = None,
    files: dict[str, tuple[Digest, ...]] | None = None,
) -> list[str]:
    name = parse_model_name("team/bot")
    return print_modelfile(name, content or ModelContent(), config or ModelConfig(), files or {}).splitlines()


def test_every_part_is_printed_in_ollamas_order() -> None:
    content = ModelContent(
        system="Be brief.",
        template="{{ .Prompt }}!",
        params={"temperature": 0.6, "stop": ["<a>", "<b>"], "num_ctx": 4096, "use_mmap": False},
        messages=(Message("user", "hi"), Message("assistant", "two\nlines")),
        licenses=("MIT",),
    )
    config = ModelConfig(renderer="gemma4", parser="gemma4", requires="0.14.0")
    assert printed(content, config)[3:] == [
        "",
        "FROM team/bot:latest",
        "TEMPLATE {{ .Prompt }}!",
        "SYSTEM Be brief.",
        "RENDERER gemma4",
        "PARSER gemma4",
        "REQUIRES 0.14.0",
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


def test_files_that_come_with_from_are_told_in_comments() -> None:
    files = {MediaType.ADAPTER: (BLOB,), MediaType.DRAFT: (BLOB,), MediaType.PROJECTOR: (BLOB, BLOB)}
    assert printed(files=files)[4:] == [
        "FROM team/bot:latest",
        f"# ADAPTER {BLOB}",
        f"# DRAFT {BLOB}",
        f"# FROM {BLOB}",
        f"# FROM {BLOB}",
        "# TEMPLATE is in the weights' file",
    ]


def test_whole_numbers_keep_all_their_digits() -> None:
    lines = printed(ModelContent(template="", params={"seed": 12_345_678, "num_ctx": 2e6, "top_p": 0.9}))
    assert lines[-3:] == ["PARAMETER num_ctx 2000000", "PARAMETER seed 12345678", "PARAMETER top_p 0.9"]


def test_what_a_modelfile_has_no_words_for_is_left_to_from() -> None:
    content = ModelContent(
        template="t",
        params={"mirostat": 2, "temperature": "hot", "numa\nPARAMETER seed": 1},
        messages=(Message("user", "hi"), Message("tool", "42")),
        licenses=('a line that ends """\nso',),
    )
    assert printed(content)[6:] == [
        "# PARAMETER mirostat 2",
        "# PARAMETER numa PARAMETER seed 1",
        "# PARAMETER temperature 'hot'",
        "# LICENSE that a Modelfile cannot hold",
        "# 2 MESSAGEs, some in roles that a Modelfile cannot hold",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ('with "quotes" inside', 'with "quotes" inside'),
        (" leading", '" leading"'),
        ("trailing ", '"trailing "'),
        ("two\nlines", '"two\nlines"'),
        ('two\n"lines"', '"""two\n"lines""""'),
        ("", '""'),
        ('"quoted"', '""""quoted""""'),
        ('"', '"""""""'),
        ("# no comment", "# no comment"),
        ("\n", '"\n"'),
        ('ends """\nhere', None),
    ],
)
def test_text_is_quoted_where_it_would_not_read_back(text: str, written: str | None) -> None:
    assert reads_back(text) == (written is not None)
    assert quoted(text) == (written if written is not None else '"""ends "" "\nhere"""')


def test_a_comment_is_one_line() -> None:
    assert comment("a\nb\x00 \t c") == "# a b c"


def test_parameters_are_columns_of_go_values() -> None:
    params = {"stop": ["<|eot_id|>", "\n"], "temperature": 0.6, "use_mmap": True}
    assert print_parameters(params).splitlines() == [
        'stop                           "<|eot_id|>"',
        'stop                           "\\n"',
        "temperature                    0.6",
        "use_mmap                       true",
    ]
    assert print_parameters({}) == ""
