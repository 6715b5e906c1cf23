"""A conversation on the terminal: lines in, streamed replies out, the history in between. Ctrl-C ends a reply."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Final, TextIO

from corral.client import Client, Json
from corral.commands.attachments import attached
from corral.commands.telling import Teller
from corral.errors import ApiError

PROMPT: Final = ">>> "
CONTINUED: Final = "... "
BLOCK: Final = '"""'
HELP: Final = """Available commands:
  /clear          forget the conversation
  /bye, /exit     leave (so does Ctrl-D)
  /?, /help       this text
  \"\"\"             begin and end a message of several lines
  Ctrl-C          stop the reply
"""
NS_PER_S: Final = 1_000_000_000


def hold(client: Client, common: Json, *, takes_files: bool, verbose: bool, thoughts: TextIO | None) -> None:
    """Talk until the user leaves. The model is loaded first, so that a wrong name shows at once."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415  (editing and recall for input(), where Python has it)
    client.call("POST", "/api/generate", {**common, "prompt": "", "stream": False})
    history: list[Json] = []
    for message in messages():
        if message in ("/bye", "/exit"):
            return
        if message.startswith("/"):
            command(message, history)
        elif message:
            text, files = attached(message) if takes_files else (message, [])
            said: Json = {"role": "user", "content": text, **({"images": files} if files else {})}
            exchange(client, common, history, said, verbose=verbose, thoughts=thoughts)


def messages() -> Iterator[str]:
    """What the user says, until the input ends; Ctrl-C drops the line being written."""
    while True:
        try:
            yield read_message()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print("\nUse Ctrl-D or /bye to leave.")


def read_message() -> str:
    line = input(PROMPT).strip()
    if not line.startswith(BLOCK):
        return line
    lines = [line.removeprefix(BLOCK)]
    while not lines[-1].endswith(BLOCK):
        lines.append(input(CONTINUED))
    lines[-1] = lines[-1].removesuffix(BLOCK)
    return "\n".join(lines).strip()


def command(text: str, history: list[Json]) -> None:
    match text.split(maxsplit=1)[0]:
        case "/clear":
            history.clear()
            print("Cleared the conversation.")
        case "/?" | "/help":
            print(HELP)
        case unknown:
            print(f"Unknown command '{unknown}'. Type /? for help")


def exchange(
    client: Client, common: Json, history: list[Json], said: Json, *, verbose: bool, thoughts: TextIO | None
) -> None:
    """One message and its reply; a refused message is not kept, a reply that was stopped is kept as far as it came."""
    asked = [*history, said]
    teller, final = Teller(sys.stdout, thoughts), Json()
    events = client.stream("/api/chat", {**common, "messages": asked})
    try:
        for final in events:
            teller.tell(final.get("message", {}), "content")
    except KeyboardInterrupt:
        final = {}
    except ApiError as refusal:
        print(f"Error: {refusal}", file=sys.stderr)
        return
    finally:
        events.close()
        teller.end_thought()
    print("\n")
    thought = {"thinking": teller.thinking} if teller.thinking else {}
    history[:] = [*asked, {"role": "assistant", "content": teller.text, **thought}]
    if verbose and final:
        print(statistics(final), file=sys.stderr)


def statistics(final: Json) -> str:
    """The last event's counts and times, each line only where it has something to say."""
    lines = []
    for name, label in (("total_duration", "total duration"), ("load_duration", "load duration")):
        if final.get(name):
            lines.append((label, seconds(final[name])))
    for name, label in (("prompt_eval", "prompt eval"), ("eval", "eval")):
        count, duration_ns = final.get(f"{name}_count", 0), final.get(f"{name}_duration", 0)
        if count:
            lines.append((f"{label} count", f"{count} token(s)"))
        if duration_ns:
            lines.append((f"{label} duration", seconds(duration_ns)))
        if count and duration_ns:
            lines.append((f"{label} rate", f"{count * NS_PER_S / duration_ns:.2f} tokens/s"))
    return "\n".join(f"{label + ':':<21} {value}" for label, value in lines)


def seconds(duration_ns: int) -> str:
    value = duration_ns / NS_PER_S
    return f"{value * 1000:.0f}ms" if value < 0.1 else f"{value:.1f}s"
