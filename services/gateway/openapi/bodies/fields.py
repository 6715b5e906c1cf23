"""The vocabulary in which request bodies are declared. A field that may be null or absent is simply unset then."""

from typing import Annotated, Any, Literal

from msgspec import Meta

Text = str | None
Flag = bool | None
Integer = int | None
Real = float | None
Texts = list[str] | None
JsonObject = dict[str, Any]
JsonSchema = Annotated[JsonObject, Meta(description="A JSON schema.")]
Base64 = Annotated[str, Meta(description="The bytes of a file as base64, without a data URI's head.")]
KeepAlive = Annotated[
    float | str | None,
    Meta(description='How long the model stays loaded: seconds, or a duration as in "5m"; below zero: for ever.'),
]
Think = Annotated[
    bool | Literal["low", "medium", "high", "max", ""] | None,
    Meta(description="Whether, and how hard, the model thinks before it answers."),
]
Format = Annotated[
    Literal["json", ""] | JsonObject | None,
    Meta(description='"json" for any JSON object, or a JSON schema that the answer satisfies.'),
]

Refused = Annotated[Any, Meta(description="Refused: there is nothing here that could do it.", extra={"refused": True})]


def no_effect(reason: str) -> Meta:
    """What marks a field that is accepted and changes nothing, and says why that is right."""
    return Meta(description=f"Accepted without effect: {reason}.", extra={"no_effect": reason})
