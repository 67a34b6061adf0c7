"""E-mail addresses, as far as one can be told from what is none: of accounts, and of contacts."""

import re

_FORM = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST = 254


def is_address(text: str) -> bool:
    return len(text) <= _LONGEST and text.isprintable() and _FORM.fullmatch(text) is not None
