"""Prices: which row of which table a model's price comes from, and what a run cost by it."""

import pytest
from msgspec import structs

from libs.contracts.models import Price
from libs.contracts.runs import Usage
from services.runner import prices
from services.runner.prices import FREE, Prices, priced
from services.runner.providers.call import Endpoint

MINI = Price(150_000_000, 600_000_000, 75_000_000)
CLAUDE = "https://api.anthropic.com"
HEAD = "provider,model,input,cached,output\n"


def endpoint(llm: str, provider: str = "OpenAI", url: str = "https://api.openai.com/v1", **changes) -> Endpoint:
    return structs.replace(Endpoint("openai", provider, url, "", llm), **changes)


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        (endpoint("gpt-4o-mini"), MINI),
        (endpoint("GPT-4o-mini-2024-07-18"), MINI),
        (endpoint("gpt-4o-mini", provider="whatever we call it"), MINI),
        (endpoint("gpt-4o-mini", url="https://proxy.example.com/v1"), MINI),
        (endpoint("gpt-4o-mini", provider="Groq", url="https://proxy.example.com/v1"), None),
        (endpoint("gpt-4o-mini-audio-preview"), None),
        (endpoint("claude-sonnet-4-5-20250929", "Anthropic", CLAUDE), Price(3 * 10**9, 15 * 10**9, 3 * 10**8)),
        (endpoint("claude-opus-4-20250514", "Anthropic", CLAUDE), Price(15 * 10**9, 75 * 10**9, 15 * 10**8)),
        (endpoint("nobody-knows"), None),
        (endpoint("smollm2", "default", "http://127.0.0.1:8081/v1", guarded=False), FREE),
        (endpoint("smollm2", "default", "http://model:8080/v1", guarded=False), FREE),
        (endpoint("smollm2", "default", "https://models.example.com/v1", guarded=False), None),
        (endpoint("gpt-4o-mini", "default", guarded=False), MINI),
        (endpoint("llama3", "Own", "http://127.0.0.1:8081/v1"), None),
    ],
)  # fmt: skip
def test_a_model_has_the_price_of_its_row(asked, price):
    assert Prices.of("").find(asked) == price


def test_the_operator_s_table_goes_first_and_says_prices_of_its_own():
    rows = "openai,gpt-4o-mini,0.1,,0.2\ndefault,*,1,,1\ndefault,smol*,2,,2\n"
    found = Prices.of("# ours\n\n" + HEAD + rows)
    assert found.find(endpoint("gpt-4o-mini")) == Price(100_000_000, 200_000_000)
    assert found.find(endpoint("gpt-4o")) == Prices.of("").find(endpoint("gpt-4o"))
    own = endpoint("smollm2", "default", "http://127.0.0.1:8081/v1", guarded=False)
    assert found.find(own) == Price(2 * 10**9, 2 * 10**9)


@pytest.mark.parametrize("line", ["openai,x,,,1", "openai,x,-1,,1", "openai,x,NaN,,1", "openai", "openai,x,one,,1"])
def test_a_table_that_is_wrong_is_refused_by_its_line(line):
    with pytest.raises(ValueError, match="line 2"):
        prices.read(HEAD + line + "\n")


@pytest.mark.parametrize(
    ("usage", "price", "cost"),
    [
        (Usage(1_000_000, 1_000_000), MINI, 750_000_000),
        (Usage(1_000_000, 0, cached_tokens=400_000), MINI, 120_000_000),
        (Usage(1_000_000, 0, cached_tokens=400_000), Price(150_000_000, 0), 150_000_000),
        (Usage(12, 5), MINI, 4_800),
        (Usage(1, 0), Price(37_500_000, 0), 38),
        (Usage(12, 5), FREE, 0),
        (Usage(12, 5), None, None),
        (Usage(), None, 0),
    ],
)
def test_the_cost_of_a_run_is_exact_in_nano_dollars(usage, price, cost):
    assert priced(usage, price) == structs.replace(usage, cost=cost)
