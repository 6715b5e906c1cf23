"""What stands for images in a prompt."""

from services.worker.engine.media import Media, joined, startable, words_of


def test_media_take_their_place_between_the_texts() -> None:
    shown = Media("a", 3)
    tokens, media = joined([[1, 2], shown, [3]])
    assert tokens == [1, 2, *shown.tokens, 3]
    assert media == {2: shown}
    assert words_of(tokens) == [1, 2, 3]


def test_what_differs_in_its_key_differs_in_every_token() -> None:
    assert list(Media("a", 3).tokens) == list(Media("a", 3).tokens)
    assert not set(Media("a", 500).tokens) & set(Media("b", 500).tokens)
    assert all(token < 0 for token in Media("a", 500).tokens)


MEDIA = {4: Media("a", 3), 8: Media("b", 2)}  # text 0-3, a 4-6, text 7, b 8-9, text 10-14
PROMPT_TOKENS = 15


def starts(*, prompt_tokens: int = PROMPT_TOKENS) -> list[int]:
    return [
        startable(count, prompt_tokens=prompt_tokens, media=MEDIA) for count in range(prompt_tokens + 1)
    ]  # fmt: skip


def test_reuse_ends_before_an_image_or_behind_it_and_leaves_no_token_alone() -> None:
    assert starts() == [0, 1, 2, 2, 4, 4, 4, 7, 8, 8, 10, 11, 12, 13, 13, 13]


def test_a_text_of_one_token_behind_an_image_is_all_there_is_to_compute() -> None:
    assert starts(prompt_tokens=11)[-2:] == [10, 10]
