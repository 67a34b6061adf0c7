"""Prices: what a run cost, from the tokens it took and what its provider asks for a million of them.

Owner: runner. A model's own price counts first, then the operator's table (PRICES), then prices.csv. A model that
none of them knows has no cost, which is not a cost of nothing; only what the installation serves itself is free.
"""

import csv
import ipaddress
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, structs

from libs.contracts.models import Price
from libs.contracts.runs import Usage
from services.runner.providers import presets
from services.runner.providers.call import Endpoint

SHIPPED = Path(__file__).with_name("prices.csv")
FREE = Price(0, 0)
_NANOS = 1_000_000_000
_MILLION = 1_000_000
_DATED = r"(?:[-@](?:\d{2,8}.*|latest))?"


class Row(Struct, frozen=True):
    """`model` fits the whole name of a model in lower case; `exactness` is the length of what it was made from."""

    provider: str
    model: re.Pattern[str]
    price: Price
    exactness: int


class Prices:
    """Tables, the first of which counts most; within one, the row that says most of the name."""

    def __init__(self, *tables: Sequence[Row]) -> None:
        self._tables = tables

    @classmethod
    def of(cls, table: str) -> "Prices":
        """The operator's table before the shipped one. Raises ValueError that names the line which is wrong."""
        return cls(read(table), read(SHIPPED.read_text()))

    def find(self, endpoint: Endpoint) -> Price | None:
        provider, llm = presets.known(endpoint.provider, endpoint.url), endpoint.llm.lower()
        for table in self._tables:
            fitting = [row for row in table if row.provider == provider and row.model.fullmatch(llm)]
            if fitting:
                return max(fitting, key=lambda row: row.exactness).price
        return FREE if not endpoint.guarded and _is_near(endpoint.url) else None


def priced(usage: Usage, price: Price | None) -> Usage:
    """With its cost: none where there is no price, nothing where no model was asked."""
    if not usage.prompt_tokens and not usage.completion_tokens:
        return structs.replace(usage, cost=0)
    if price is None:
        return structs.replace(usage, cost=None)
    cached = price.input if price.cached is None else price.cached
    fresh = max(0, usage.prompt_tokens - usage.cached_tokens)
    total = fresh * price.input + usage.cached_tokens * cached + usage.completion_tokens * price.output
    return structs.replace(usage, cost=(total + _MILLION // 2) // _MILLION)


def read(table: str) -> list[Row]:
    """Raises ValueError that names the line."""
    lines = enumerate(table.splitlines(), 1)
    numbered = [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]
    found = csv.DictReader(line for _, line in numbered)
    return [_row(number, line) for (number, _), line in zip(numbered[1:], found, strict=True)]


def _row(number: int, line: dict[str, str]) -> Row:
    try:
        provider, model = line["provider"].strip().lower(), line["model"].strip().lower()
        cached = line.get("cached") or ""
        price = Price(_nanos(line["input"]), _nanos(line["output"]), _nanos(cached) if cached.strip() else None)
    except (KeyError, AttributeError, InvalidOperation, ValueError):
        raise ValueError(
            f"PRICES, line {number}: expected provider, model, input and output, the prices in USD for a million tokens"
        ) from None
    return Row(provider, _pattern(model), price, len(model))


def _nanos(dollars: str) -> int:
    amount = Decimal(dollars.strip())
    if not amount.is_finite() or not 0 <= amount <= _MILLION:
        raise ValueError(dollars)
    return int(amount * _NANOS)


def _pattern(model: str) -> re.Pattern[str]:
    spelled = ".*".join(map(re.escape, model.split("*")))
    return re.compile(spelled if "*" in model else spelled + _DATED)


def _is_near(url: str) -> bool:
    """Whether the address is one of the installation's own network: a name without a dot, or no public number."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".svc", ".localhost"))
