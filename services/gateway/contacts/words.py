"""Words: what a contact is found by, and what is searched for, told apart in one way.

The rule: it does not depend on the database's locale. Case and accents make no difference, and each word that is
searched for is the beginning of one of the contact's.
"""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
# Postgres takes 2,046 bytes.
_LONGEST = 100
_MOST_SOUGHT = 20
_MOST_MENTIONED = 200
_SHORTEST_NAME = 3
_NOTHING = ""


def of(*texts: str) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(word[:_LONGEST] for text in texts for word in _WORD.findall(_plain(text))))


def sought(text: str) -> str | None:
    """What a person types to search, as a tsquery: of nothing, None; without a word in it, one that finds nothing."""
    return (query(text) or _NOTHING) if text.strip() else None


def query(text: str, *, mentioned: bool = False) -> str | None:
    """As a tsquery; None where nothing is searched for. Words hold letters and digits alone.

    `mentioned`: one of the words is enough, but it is a whole one, and none of the shortest.
    """
    if mentioned:
        names = [word for word in of(text) if len(word) >= _SHORTEST_NAME]
        return " | ".join(f"'{word}'" for word in names[:_MOST_MENTIONED]) or None
    return " & ".join(f"'{word}':*" for word in of(text)[:_MOST_SOUGHT]) or None


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
