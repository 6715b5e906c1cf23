"""However a client tries, there are as many markers as images."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.chat_template.images import IMAGE_MARKER, with_markers
from shared.generation import ChatPrompt, Message

texts = st.lists(st.sampled_from([IMAGE_MARKER, "<__med", "ia__>", "<", "__media__>", "[img]", "a "])).map("".join)


@given(
    st.lists(st.tuples(texts, st.integers(0, 3)), min_size=1, max_size=4).filter(lambda said: any(n for _, n in said))
)
def test_each_text_has_a_marker_for_each_of_its_images(said: list[tuple[str, int]]) -> None:
    messages = tuple(Message("user", text, images=(b"",) * count) for text, count in said)
    marked = with_markers(ChatPrompt(messages=messages)).messages
    assert [message.content.count(IMAGE_MARKER) for message in marked] == [count for _, count in said]
