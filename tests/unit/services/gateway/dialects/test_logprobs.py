"""Log-probabilities in the dialects' JSON, whole and in chunks."""

import json

from services.gateway.dialects.ollama_reply import chat_reply, generate_reply
from services.gateway.dialects.openai_choices import Completion
from services.gateway.dialects.openai_completions_reply import CompletionReply
from services.gateway.dialects.openai_reply import OpenAiReply
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece, TokenLogprob, Usage

TOKENS = (
    TokenLogprob(b"Hi", -0.5, (TokenLogprob(b"Hi", -0.5), TokenLogprob(b"No", -1.5))),
    TokenLogprob(b"\xc3", -0.25),
)
OUTCOME = Outcome(reason=DoneReason.STOP, usage=Usage(), total_ns=1, load_ns=1)
HI = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
NO = {"token": "No", "logprob": -1.5, "bytes": [78, 111]}
HALF = {"token": "\ufffd", "logprob": -0.25, "bytes": [195]}


def test_ollamas_chunks_and_whole_replies_tell_them_beside_the_text() -> None:
    expected = [{**HI, "top_logprobs": [HI, NO]}, HALF]
    for reply in (generate_reply("m"), chat_reply("m")):
        assert json.loads(reply.delta(Piece("Hi", logprobs=TOKENS)))["logprobs"] == expected
        answer = Answer(pieces=(Piece("Hi", logprobs=TOKENS),), outcome=OUTCOME)
        assert json.loads(reply.whole([answer]))["logprobs"] == expected
        assert "logprobs" not in json.loads(reply.delta(Piece("Hi")))
        assert "logprobs" not in json.loads(reply.whole([Answer(pieces=(Piece("Hi"),), outcome=OUTCOME)]))


def test_openais_choices_always_have_the_list_of_likeliest_tokens() -> None:
    completion = Completion(model="m", completion_id="c", created_unix_s=1, include_usage=False)
    expected = {"content": [{**HI, "top_logprobs": [HI, NO]}, {**HALF, "top_logprobs": []}]}
    reply = OpenAiReply(completion)
    for frame in (reply.delta(Piece("Hi", logprobs=TOKENS)), reply.delta(Piece("Hi", logprobs=TOKENS))):
        (choice,) = json.loads(frame.removeprefix(b"data: "))["choices"]
        assert choice["logprobs"] == expected
        assert choice["delta"]["content"] == "Hi"
    whole = json.loads(reply.whole([Answer(pieces=(Piece("Hi", logprobs=TOKENS),), outcome=OUTCOME)]))
    assert whole["choices"][0]["logprobs"] == expected
    assert b"logprobs" not in reply.delta(Piece("Hi"))


def test_text_completions_have_parallel_lists_and_spell_out_bytes_that_are_no_text() -> None:
    completion = Completion(model="m", completion_id="c", created_unix_s=1, include_usage=False)
    tokens = (*TOKENS, TokenLogprob(b"\xa9", -0.125), TokenLogprob(b"!", -2.0))
    expected = {
        "tokens": ["Hi", "bytes:\\xc3", "bytes:\\xa9", "!"],
        "token_logprobs": [-0.5, -0.25, -0.125, -2.0],
        "top_logprobs": [{"Hi": -0.5, "No": -1.5}, {"bytes:\\xc3": -0.25}, {"bytes:\\xa9": -0.125}, {"!": -2.0}],
        "text_offset": [0, 2, 2, 3],
    }
    whole = CompletionReply(completion, echoes=[]).whole(
        [Answer(pieces=(Piece("Hi\u00e9!", logprobs=tokens),), outcome=OUTCOME)]
    )
    assert json.loads(whole)["choices"][0]["logprobs"] == expected
    reply = CompletionReply(completion, echoes=[])
    told = [
        json.loads(reply.delta(Piece(text, logprobs=some)).removeprefix(b"data: "))["choices"][0]["logprobs"]
        for text, some in (("Hi", tokens[:1]), ("", tokens[1:2]), ("\u00e9!", tokens[2:]))
    ]
    assert {name: [one for part in told for one in part[name]] for name in expected} == expected
