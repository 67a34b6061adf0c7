"""Templates: plain names in process, everything more behind the walls of the sandbox."""

import asyncio
import os

import pytest
import pytest_asyncio

from libs.contracts import ids, runs
from libs.contracts.faults import Code, Fault
from services.runner.prompting.prompts import Prompting
from services.runner.prompting.rendering import Renderer
from services.runner.prompting.templates import parse
from tests.services.runner.stored import action

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def renderer():
    renderer = Renderer()
    yield renderer
    await renderer.close()


async def render(renderer: Renderer, source: str, **values: object) -> str:
    return await renderer.render(parse(source), values)


@pytest.mark.parametrize(
    ("source", "values", "text"),
    [
        ("Hi {{name}}!", {"name": "Ada"}, "Hi Ada!"),
        ("{{ a }}{{b}} {{a}}", {"a": "x", "b": 2}, "x2 x"),
        ("{{n}} {{t}} {{none}} {{list}}", {"n": 1.5, "t": True, "none": None, "list": [1, "a"]}, '1.5 true  [1,"a"]'),
        ("no variables }} {", {}, "no variables }} {"),
        ("{{x}}", {"x": "{{y}} {% raw %}"}, "{{y}} {% raw %}"),
        ("Hi {{ name|upper }}{# a comment #}", {"name": "Ada"}, "Hi ADA"),
        ("{% if loud %}HI{% else %}hi{% endif %} {{n}}", {"loud": True, "n": True}, "HI true"),
        ("{% for x in list %}{{ x.name }},{% endfor %}", {"list": [{"name": "a"}, {"name": "b"}]}, "a,b,"),
        ("{{ name or 'you' }}", {"name": None}, "you"),
        ("{{ it|default('none') }}", {}, "none"),
        ("line\n{{ 'x'|upper }}\n", {}, "line\nX\n"),
    ],
)
async def test_a_template_is_filled(renderer, source, values, text):
    assert await renderer.render(parse(source), values) == text


@pytest.mark.parametrize("source", ["{{name}}", "{{ name|upper }}", "{% if name %}{% endif %}{{ name.first }}"])
async def test_a_missing_variable_is_named(renderer, source):
    with pytest.raises(Fault) as caught:
        await render(renderer, source, other=1)
    assert (caught.value.code, caught.value.field) == (Code.INVALID, "input.name")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 200000000 }}",
        "{{ ['x'] * 99999999 }}",
        "{{ 200000000 * 'x' }}",
        "{{ 9 ** 99999 }}",
        "{{ 2 ** (2 ** 30) }}",
        "{{ 'x'|center(2000000000) }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{% include '/etc/passwd' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ x ",
        "{% endfor %}",
        "{{ 1 / 0 }}",
        "{{ lipsum(99999999) }}",
    ],
)
async def test_what_would_break_out_or_never_end_is_refused(renderer, source):
    with pytest.raises(Fault) as caught:
        await render(renderer, source)
    assert caught.value.code is Code.INVALID
    assert await render(renderer, "{{ 'fine'|upper }}") == "FINE"


async def test_the_child_sees_no_secret_of_the_runner(renderer, monkeypatch):
    monkeypatch.setenv("MASTER_KEYS", "a secret")
    other = Renderer()
    assert await render(other, "{{ 'x'|upper }}") == "X"
    child = other._child._child
    assert child is not None
    with open(f"/proc/{child.pid}/environ") as environ:
        assert "a secret" not in environ.read()
    await other.close()


async def test_a_child_that_was_killed_is_replaced(renderer):
    await render(renderer, "{{ 'x'|upper }}")
    child = renderer._child._child
    assert child is not None
    os.kill(child.pid, 9)
    await child.wait()
    assert await render(renderer, "{{ 'x'|upper }}") == "X"


async def test_many_render_at_once(renderer):
    texts = await asyncio.gather(*(render(renderer, "{{ n|string }}", n=n) for n in range(50)))
    assert texts == [str(n) for n in range(50)]


@pytest.mark.parametrize(
    ("prompt", "inputs", "asked"),
    [
        ("Answer: {{question}}", "Why?", "Answer: Why?"),
        ("Answer: {{ question|trim }}", " Why? ", "Answer: Why?"),
        ("Be brief.", "Why?", "Be brief.\n\nWhy?"),
        ("", "Why?", "Why?"),
        ("{{a}} and {{b}}", {"a": "x", "b": "y", "c": "unused"}, "x and y"),
    ],
)
async def test_a_text_fills_the_only_variable_or_stands_below(renderer, prompt, inputs, asked):
    made = await _prompt(renderer, prompt, inputs)
    assert made.messages([]) == [runs.Message("user", asked)]


@pytest.mark.parametrize(
    ("prompt", "system", "inputs", "field"),
    [
        ("{{a}} and {{b}}", "", "one text", "input.a"),
        ("{{a}}", "You are {{who}}", {"a": "x"}, "input.who"),
        ("{{a}}", "", {"A": "x"}, "input.a"),
        ("", "", "  ", "input"),
        ("{{a}}", "", {"a": ""}, "input"),
    ],
)
async def test_what_can_not_be_asked_is_refused(renderer, prompt, system, inputs, field):
    with pytest.raises(Fault) as caught:
        await _prompt(renderer, prompt, inputs, system)
    assert (caught.value.code, caught.value.field) == (Code.INVALID, field)


async def test_the_system_message_is_a_template_as_well(renderer):
    made = await _prompt(renderer, "{{who}}?", "Ada", "You know {{who}}.")
    assert made.messages([]) == [runs.Message("system", "You know Ada."), runs.Message("user", "Ada?")]


async def test_a_chat_action_asks_with_the_turns_that_it_is_given(renderer):
    turns = [runs.Message("user", "Hi"), runs.Message("assistant", "Hello"), runs.Message("user", "Why?")]
    made = await _prompt(renderer, "ignored {{x}}", {}, "Be kind.", kind="chat", messages=turns)
    assert made.messages([]) == [runs.Message("system", "Be kind."), *turns]
    assert (made.question, made.search) == ("Why?", "Why?")


async def _prompt(renderer: Renderer, prompt: str, inputs, system: str = "", kind="prompt", messages=()):
    prompting = Prompting(renderer)
    scripted = await prompting.script(action(prompt=prompt, system_message=system, kind=kind))
    request = runs.StartRun(ids.new(), ids.new(), scripted.action.id, inputs, "klu", messages=list(messages))
    return await prompting.prompt(scripted, request)
