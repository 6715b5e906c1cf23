"""What the registry prints, the command line's own parser reads back as the same model."""

from hypothesis import example, given
from hypothesis import strategies as st

from corral.modelfile import Modelfile, parse
from services.registry.content import ModelContent
from services.registry.modelfile import print_modelfile
from services.registry.modelfile_quoting import quoted, reads_back, value_of
from shared.generation import Message
from shared.manifest import ModelConfig
from shared.model_name import parse_model_name

VISIBLE = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" \n\t\r"), max_size=40)
QUOTES = st.lists(st.sampled_from(['"', '""', '"""', "\n", "\r", " ", "a", "#", "FROM x", "\t"]), max_size=12).map(
    "".join
)
ANY = st.one_of(VISIBLE, QUOTES, st.text(max_size=20))
WORDS = st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(-(2**53), 2**53),
        "num_ctx": st.integers(0, 10**7),
        "temperature": st.floats(0, 10**9),
        "top_p": st.floats(0, 1, width=32),
        "use_mmap": st.booleans(),
        "stop": st.lists(ANY.filter(reads_back), min_size=1, max_size=3),
        "mirostat": st.integers(0, 2),
    },
)
CONTENTS = st.builds(
    ModelContent,
    system=ANY,
    template=st.none() | ANY,
    params=PARAMS,
    messages=st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), ANY), max_size=3)
    .map(tuple),
    licenses=st.lists(ANY, max_size=2).map(tuple),
)  # fmt: skip
CONFIGS = st.builds(ModelConfig, renderer=st.just("") | WORDS, parser=st.just("") | WORDS, requires=st.just("0.14.0"))


def read(content: ModelContent, config: ModelConfig) -> Modelfile:
    return parse(print_modelfile(parse_model_name("team/bot"), content, config, {}))


def rebuilt(base: ModelContent, recipe: Modelfile) -> ModelContent:
    """What `create` makes of the recipe, which begins with `base`."""
    licenses = base.licenses + tuple(text for text in recipe.licenses if text not in base.licenses)
    return ModelContent(
        system=recipe.system or base.system,
        template=recipe.template or base.template,
        params={**base.params, **recipe.parameters},
        messages=tuple(Message(role, content) for role, content in recipe.messages) or base.messages,
        licenses=licenses,
    )


def can_be_held(content: ModelContent) -> bool:
    texts = [content.system, content.template or "", *(message.content for message in content.messages)]
    return all(map(reads_back, texts))


@given(CONTENTS.filter(can_be_held), CONFIGS)
def test_a_printed_model_reads_back_as_the_same_model(content: ModelContent, config: ModelConfig) -> None:
    recipe = read(content, config)
    assert recipe.sources == ("team/bot:latest",)
    assert (recipe.renderer, recipe.parser, recipe.requires) == (config.renderer, config.parser, config.requires)
    assert rebuilt(content, recipe) == content
    assert recipe.deprecated == ()


@given(CONTENTS, CONFIGS)
def test_whatever_a_model_holds_its_modelfile_can_be_read(content: ModelContent, config: ModelConfig) -> None:
    recipe = read(content, config)
    after = rebuilt(content, recipe)
    assert (after.licenses, after.params) == (content.licenses, content.params)
    assert [message.role for message in after.messages] == [message.role for message in content.messages]


@given(ANY)
@example('""""""')
@example('a """\r"')
@example("\u200b")
def test_a_text_reads_back_or_as_something_close(text: str) -> None:
    written = quoted(text)
    value = value_of(written)
    assert value is not None
    assert parse(f"FROM x\nSYSTEM {written}\nPARSER p").system == value
    if reads_back(text):
        assert value == text
    else:
        assert [char for char in value if char not in ' "'] == [
            char for char in text if char not in ' "' and (char.isprintable() or char in "\n\r\t")
        ]
