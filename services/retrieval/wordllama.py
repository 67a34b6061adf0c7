"""The files of the built-in embedding model, as they lie in the wheel of `wordllama`.

The package itself is never imported: it would bring pydantic and requests, look for weights in the network, and set up
the process's logging anew.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def folder() -> Path:
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package wordllama is missing: install the dependency group `retrieval`.")
    return Path(spec.submodule_search_locations[0])


def weights() -> Path:
    return folder() / "weights" / "l2_supercat_256.safetensors"


@cache
def tokenizer() -> "Tokenizer":
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(folder() / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    loaded.no_padding()
    loaded.no_truncation()
    return loaded
