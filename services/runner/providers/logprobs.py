"""How a model weighed the tokens of its answer, in the OpenAI protocol's `logprobs`.

The rule: they are an extra. What is said of them in another shape is passed over, and costs no answer.
"""

from typing import Any

import msgspec
from msgspec import Struct

from libs.contracts.feed import Alternative, Scored

# What OpenAI says of a token that is next to impossible. JSON has no infinity, which other servers say.
LEAST = -9999.0


class Told(Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenTold(Told, frozen=True):
    top_logprobs: list[Told] | None = None


class Logprobs(Struct, frozen=True):
    content: list[TokenTold] | None = None
    refusal: list[TokenTold] | None = None


def scored(logprobs: Any, most: int) -> list[Scored]:
    """The tokens of one chunk, each with `most` of the likeliest: some servers tell more than they were asked for."""
    try:
        told = msgspec.convert(logprobs, Logprobs)
    except msgspec.ValidationError:
        return []
    tokens = told.content or told.refusal or []
    return [Scored(_alternative(token), [_alternative(top) for top in _likeliest(token, most)]) for token in tokens]


def _likeliest(token: TokenTold, most: int) -> list[Told]:
    return (token.top_logprobs or [])[:most]


def _alternative(told: Told) -> Alternative:
    # In this order: what is no number is the least, too.
    return Alternative(told.token, max(LEAST, told.logprob), _utf8(told.bytes))


def _utf8(numbers: list[int] | None) -> bytes | None:
    try:
        return None if numbers is None else bytes(numbers)
    except ValueError:
        return None
