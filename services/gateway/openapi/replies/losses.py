"""What a reply tells of a conversation that the model did not see as it was; every dialect has these fields."""

import msgspec


class Losses(msgspec.Struct, kw_only=True):
    """Each is left out when it is 0."""

    dropped_messages_count: int = 0
    dropped_tokens_count: int = 0
    summarized_messages_count: int = 0
    shifted_tokens_count: int = 0
