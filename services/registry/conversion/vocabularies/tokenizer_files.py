"""`tokenizer.json`, `tokenizer_config.json` and the chat template, as types.

Source: the `tokenizers` library's serialization; transformers, PreTrainedTokenizerBase.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from services.registry.conversion.source import Source


class AddedToken(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    content: str
    special: bool = False


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """What a part looks for: a regular expression or plain text."""

    regex: str | None = msgspec.field(name="Regex", default=None)
    text: str | None = msgspec.field(name="String", default=None)


class SpecialPiece(msgspec.Struct, frozen=True):
    id: str


class TemplatePiece(msgspec.Struct, frozen=True):
    """One place in the template that puts special tokens around a text; None is the text itself."""

    special: SpecialPiece | None = msgspec.field(name="SpecialToken", default=None)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One normalizer, pre-tokenizer or post-processor; a sequence holds others. The fields are those of all kinds."""

    type: str
    normalizers: list["Part"] = []
    pretokenizers: list["Part"] = []
    processors: list["Part"] = []
    pattern: Pattern | None = None
    content: str = ""
    behavior: str = ""
    invert: bool = False
    individual_digits: bool = False
    add_prefix_space: bool = True
    prepend_scheme: str = ""
    use_regex: bool = True
    lowercase: bool = True
    strip_accents: bool | None = None
    precompiled_charsmap: str | None = None
    single: list[TemplatePiece] = []
    cls: tuple[str, int] | None = None
    sep: tuple[str, int] | None = None

    def flat(self) -> Iterator["Part"]:
        """The parts of a sequence in their order, or just this one."""
        inner = [*self.normalizers, *self.pretokenizers, *self.processors]
        if self.type != "Sequence":
            yield self
        for part in inner:
            yield from part.flat()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The tokenizer proper. A unigram model's vocabulary is a list of pieces and scores, the others' names to ids."""

    type: str = ""
    vocab: dict[str, int] | list[tuple[str, float]]
    merges: list[str | tuple[str, str]] = []
    ignore_merges: bool = False
    unk_token: str | None = None
    unk_id: int | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


class TokenizerJson(msgspec.Struct, frozen=True, kw_only=True):
    model: Model
    added_tokens: list[AddedToken] = []
    normalizer: Part | None = None
    pre_tokenizer: Part | None = None
    post_processor: Part | None = None

    @property
    def normalizers(self) -> list[Part]:
        return [] if self.normalizer is None else list(self.normalizer.flat())

    @property
    def pre_tokenizers(self) -> list[Part]:
        return [] if self.pre_tokenizer is None else list(self.pre_tokenizer.flat())

    @property
    def post_processors(self) -> list[Part]:
        return [] if self.post_processor is None else list(self.post_processor.flat())


class TokenText(msgspec.Struct, frozen=True):
    """A special token written with all its properties."""

    content: str


class NamedTemplate(msgspec.Struct, frozen=True):
    name: str
    template: str


class DecodedToken(msgspec.Struct, frozen=True):
    content: str
    special: bool = False


Text = str | TokenText | None


class TokenizerConfig(msgspec.Struct, frozen=True, kw_only=True):
    bos_token: Text = None
    eos_token: Text = None
    unk_token: Text = None
    sep_token: Text = None
    pad_token: Text = None
    cls_token: Text = None
    mask_token: Text = None
    add_bos_token: bool | None = None
    add_eos_token: bool | None = None
    additional_special_tokens: list[Text] | None = None
    chat_template: str | list[NamedTemplate] | None = None
    added_tokens_decoder: dict[int, DecodedToken] = {}

    @property
    def special_texts(self) -> set[str | None]:
        named = (
            self.bos_token, self.eos_token, self.unk_token, self.sep_token, self.pad_token, self.cls_token,
            self.mask_token, *(self.additional_special_tokens or ()),
        )  # fmt: skip
        return {text_of(token) for token in named}


CONFIG: Final = "tokenizer_config.json"


def read_tokenizer_config(source: Source) -> TokenizerConfig:
    """Raises: ModelFileInvalid."""
    return source.optional_json(CONFIG, TokenizerConfig) or TokenizerConfig()


def added_tokens_of(source: Source, config: TokenizerConfig, tokenizer: TokenizerJson | None) -> list[AddedToken]:
    """The tokens that were added to a `tokenizer.model`; newer folders list them in `tokenizer_config.json`, the oldest
    in `added_tokens.json`, which only has their texts and ids.

    Raises: ModelFileInvalid.
    """
    if config.added_tokens_decoder:
        return [
            AddedToken(id=token, content=decoded.content, special=decoded.special)
            for token, decoded in config.added_tokens_decoder.items()
        ]
    if tokenizer is not None:
        return tokenizer.added_tokens
    added = source.optional_json("added_tokens.json", dict[str, int]) or {}
    return [AddedToken(id=token, content=text, special=text in config.special_texts) for text, token in added.items()]


def text_of(token: Text) -> str | None:
    return token.content if isinstance(token, TokenText) else token


def chat_template_of(source: Source, config: TokenizerConfig) -> str:
    """The template that answers a plain chat, which newer folders keep in a file of its own; empty when there is none.

    Raises: ModelFileInvalid.
    """
    content = source.optional_content("chat_template.jinja")
    if content is not None:
        return content.decode("utf-8", "replace")
    template = config.chat_template
    if isinstance(template, list):
        return next((named.template for named in template if named.name == "default"), "")
    return template or ""
