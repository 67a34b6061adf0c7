"""Text from models, tools and documents, as Postgres and UTF-8 take it: NUL and lone surrogates become U+FFFD."""

import re
from typing import Any, TypeVar, cast

T = TypeVar("T")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(value: T) -> T:
    """`value` with every string in it storable; lists and dicts are searched, their keys too."""
    return cast("T", _clean(value))


def _clean(value: Any) -> Any:
    match value:
        case str():
            return value if _storable(value) else _UNSTORABLE.sub("�", value)
        case list():
            return [_clean(item) for item in cast("list[Any]", value)]
        case dict():
            return {_clean(key): _clean(item) for key, item in cast("dict[Any, Any]", value).items()}
        case _:
            return value


def _storable(text: str) -> bool:
    """Encoding finds a surrogate many times faster than a search does."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
