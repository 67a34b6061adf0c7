"""Filling of steps: values keep their types, URLs keep their shape, and what workspaces write harms nobody."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.contracts.automation_steps import HttpRequest, Notify
from libs.contracts.faults import Code, Fault
from services.runner.automations import filling
from services.runner.automations.filling import Filling
from services.runner.prompting.rendering import Renderer
from services.runner.tools.headers import KEPT
from tests.dialects.bodies import JSON

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCOPE: dict[str, Any] = {
    "trigger": {"n": 3, "list": [{"a": None}, {"a": "x y/&?"}], "text": "{{ trigger.n }}", "on": True},
    "steps": {"ask": {"answer": "Yes"}},
    "automation": {"name": "Ask"},
    "run": {},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def renderer() -> AsyncIterator[Renderer]:
    renderer = Renderer()
    yield renderer
    await renderer.close()


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ("plain", "plain"),
        ("{{ trigger.n }}", 3),
        (" {{trigger.on}} ", True),
        ("{{ trigger.list.0.a }}", None),
        ("{{ trigger.list }}", [{"a": None}, {"a": "x y/&?"}]),
        ("n={{ trigger.n }} a={{ trigger.list.0.a }}.", "n=3 a=."),
        ("{{ trigger.text }}", "{{ trigger.n }}"),
        ("{{ trigger.n + 1 }}", "4"),
        ("{% for one in trigger.list %}{{ loop.index }}{% endfor %}", "12"),
        ({"a": ["{{ steps.ask.answer }}", 1, None]}, {"a": ["Yes", 1, None]}),
    ],
)
async def test_a_value_is_filled_and_keeps_its_type(renderer, given, filled):
    assert await Filling(renderer, SCOPE).value(given, "config") == filled


async def test_a_value_leads_nowhere_else_in_a_url(renderer):
    url = await Filling(renderer, SCOPE).address("https://a.example/{{ trigger.list.1.a }}?n={{ trigger.n }}", "url")
    assert url == "https://a.example/x%20y%2F%26%3F?n=3"


@pytest.mark.parametrize("value", ["..", ".", ""])
async def test_a_value_that_would_climb_in_a_url_s_path_or_vanish_from_it_is_refused(renderer, value):
    scope = {**SCOPE, "trigger": {"id": value}}
    with pytest.raises(Fault) as refused:
        await Filling(renderer, scope).address("https://a.example/users/{{ trigger.id }}/card", "url")
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "url")
    in_query = await Filling(renderer, scope).address("https://a.example/users?id={{ trigger.id }}", "url")
    assert in_query == f"https://a.example/users?id={value}"


async def test_values_side_by_side_do_not_climb_either(renderer):
    with pytest.raises(Fault):
        await Filling(renderer, {**SCOPE, "trigger": {"a": "."}}).address(
            "https://a.example/users/{{ trigger.a }}{{ trigger.a }}/card", "url"
        )


@pytest.mark.parametrize(
    "source",
    [
        "{{ trigger.missing }}",
        "{{ trigger.n.a }}",
        "{{ trigger.list.7.a }}",
        "{{ trigger.list.a }}",
        "{{ nobody }}",
        "{{ trigger.missing | upper }}",
        "{{ 'x' * 200000000 }}",
        "{{ ''.__class__.__mro__ }}",
    ],
)
async def test_what_can_not_be_filled_is_named_by_its_field(renderer, source):
    with pytest.raises(Fault) as refused:
        await Filling(renderer, SCOPE).value({"a": [source]}, "steps[1].config")
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "steps[1].config.a[0]")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON, source=st.text("{} .trigsep_n%#'|[]", max_size=30))
async def test_whatever_is_written_is_filled_or_refused(renderer, value, source):
    try:
        await Filling(renderer, SCOPE | {"trigger": value}).value([value, source], "config")
    except Fault as raised:
        fault = raised
    else:
        return
    assert fault.code is Code.INVALID
    assert fault.field
    assert fault.field.startswith("config")


@pytest.mark.parametrize(
    ("kind", "speaks"),
    [
        (HttpRequest("https://a.example", body={"to": ["{{ trigger.contact.email }}"]}), True),
        (HttpRequest("https://a.example", headers={"X-To": KEPT}), True),
        (Notify("{{ trigger.contact }}"), True),
        (Notify("{% set of = trigger['contact'] %}{{ of.email }}"), True),
        (Notify("{{ trigger.contact_id }}"), False),
        (Notify("The contact is new."), False),
    ],
)
async def test_a_step_says_of_what_it_may_speak(kind, speaks):
    assert filling.speaks_of(kind, "contact") is speaks
