"""Apps, actions, models, providers and sessions, as other services ask for them."""

import asyncio

import asyncpg
import pytest
from aiohttp import web

from libs.contracts import actions, apps, ids, models, runs, sessions
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from tests.services.runner.conftest import eventually
from tests.support.waiting import held_up
from tests.support.web import site

pytestmark = pytest.mark.asyncio


async def fault(call) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


async def test_an_app_is_made_changed_and_deleted(caller):
    made = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "Docs", "What we know", "chat"))
    changed = await caller.bus.call(apps.UPDATE, apps.UpdateApp(caller.workspace_id, made.id, name="Manual"))
    assert (changed.name, changed.description, changed.app_type) == ("Manual", "What we know", "chat")
    asked = apps.GetApp(caller.workspace_id, made.id)
    assert await caller.bus.call(apps.GET, asked) == changed
    assert await caller.bus.call(apps.DELETE, asked) == changed
    assert (await fault(caller.bus.call(apps.GET, asked))).code is Code.NOT_FOUND


@pytest.mark.parametrize("table", ["apps", "actions", "providers"])
async def test_what_is_deleted_while_something_is_made_of_it_is_not_found(caller, databases, table):
    action = await caller.action()
    vendor = models.CreateProvider(caller.workspace_id, "Own", "key", "http://127.0.0.1:9")
    provider = await caller.bus.call(models.CREATE_PROVIDER, vendor)
    made_of = {
        "apps": (action.app_id, actions.CREATE, actions.CreateAction(caller.workspace_id, action.app_id, "Ask", "Hi")),
        "actions": (
            action.id,
            actions.DEPLOY,
            actions.DeployVersion(caller.workspace_id, action.id, "Staging", number=1),
        ),
        "providers": (provider.id, models.CREATE, models.CreateModel(caller.workspace_id, "small", str(provider.id))),
    }
    id, rpc, asked = made_of[table]
    connection = await asyncpg.connect(databases.dsn("runner"))
    async with connection.transaction():
        await connection.execute(f"SELECT FROM {table} WHERE id = $1 FOR UPDATE", id)
        making = asyncio.create_task(caller.bus.call(rpc, asked))
        await eventually(lambda: held_up(connection), bool)
        await connection.execute(f"DELETE FROM {table} WHERE id = $1", id)
    await connection.close()
    assert (await fault(making)).code is Code.NOT_FOUND


async def test_a_name_is_as_long_as_a_list_can_tell_it(caller):
    made = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "x" * 500))
    endless = "x" * 501
    for asked in (
        caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, endless)),
        caller.bus.call(apps.UPDATE, apps.UpdateApp(caller.workspace_id, made.id, name=endless)),
        caller.bus.call(sessions.CREATE, sessions.CreateSession(caller.workspace_id, name=endless)),
    ):
        refused = await fault(asked)
        assert (refused.code, refused.field) == (Code.INVALID, "name")


async def test_an_action_whose_model_was_deleted_says_so_and_can_be_changed(caller):
    vendor = models.CreateProvider(caller.workspace_id, "Own", "key", "http://127.0.0.1:9")
    provider = await caller.bus.call(models.CREATE_PROVIDER, vendor)
    model = await caller.bus.call(models.CREATE, models.CreateModel(caller.workspace_id, "small", str(provider.id)))
    action = await caller.action(model_id=model.id)
    await caller.bus.call(models.DELETE, models.GetModel(caller.workspace_id, model.id))
    refused = await fault(caller.run(action))
    assert (refused.code, "model was deleted" in refused.message) == (Code.CONFLICT, True)
    renamed = actions.UpdateAction(caller.workspace_id, action.id, name="Again")
    assert (await caller.bus.call(actions.UPDATE, renamed)).name == "Again"


async def test_a_draft_has_no_tool_that_there_is_not(caller):
    draft = runs.Draft(prompt="Hi", tool_ids=[ids.new()])
    start = runs.StartRun(caller.workspace_id, ids.new(), ids.NONE, "", "klu", draft=draft)
    refused = await fault(caller.bus.call(runs.START, start))
    assert (refused.code, str(draft.tool_ids[0]) in refused.message) == (Code.NOT_FOUND, True)


@pytest.mark.parametrize(("offset", "limit", "names"), [(0, 2, "ab"), (2, 2, "c"), (9, 2, ""), (0, 0, "")])
async def test_a_page_is_a_slice_and_the_size_of_the_whole(caller, offset, limit, names):
    for name in "abc":
        await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, name))
    page = await caller.bus.call(apps.PAGE, apps.PageApps(caller.workspace_id, Slice(offset, limit)))
    assert ("".join(app.name for app in page.items), page.total) == (names, 3)


async def test_every_change_of_an_action_is_a_version(caller):
    made = await caller.action("Say {{a}}", parameters=Parameters(temperature=0.5), metadata={"by": ["us"]})
    asked = actions.UpdateAction(caller.workspace_id, made.id, prompt="Tell {{a}}")
    changed = await caller.bus.call(actions.UPDATE, asked)
    assert (made.version, changed.version, changed.prompt) == (1, 2, "Tell {{a}}")
    assert (changed.parameters, changed.metadata) == (Parameters(temperature=0.5), {"by": ["us"]})
    assert changed.version_id != made.version_id
    run = await caller.run(changed, {"a": "x"})
    assert (run.action_version, run.prompt[-1].content) == (2, "Tell x")


async def test_an_action_is_found_by_its_name_or_id_and_the_first_without(caller):
    app = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "Docs"))

    async def found(name: str = "") -> actions.Action:
        return await caller.bus.call(actions.FIND, actions.FindAction(caller.workspace_id, name))

    async def made(name: str) -> actions.Action:
        return await caller.bus.call(actions.CREATE, actions.CreateAction(caller.workspace_id, app.id, name, "x"))

    assert (await fault(found())).code is Code.NOT_FOUND
    first, second, twin = await made("first"), await made("second"), await made("second")
    assert [await found(), await found("second"), await found(str(twin.id))] == [first, second, twin]
    assert await found(ids.crockford("act", first.id)) == first
    disabled = actions.DisableAction(caller.workspace_id, first.id)
    await caller.bus.call(actions.DISABLE, disabled)
    assert [await found(), (await fault(found("first"))).code] == [second, Code.NOT_FOUND]
    await caller.bus.call(
        actions.DEPLOY, actions.DeployVersion(caller.workspace_id, first.id, actions.PRODUCTION, number=1)
    )
    assert await found() == first
    renamed = actions.UpdateAction(caller.workspace_id, second.id, name="renamed")
    assert await caller.bus.call(actions.UPDATE, renamed) == await found("renamed")
    assert await found("second") == twin
    await caller.bus.call(apps.DELETE, apps.GetApp(caller.workspace_id, app.id))
    assert (await fault(found("first"))).code is Code.NOT_FOUND


async def test_another_workspace_s_action_is_not_found(caller, other):
    theirs = await other.action()
    for name in (theirs.name, str(theirs.id)):
        asked = actions.FindAction(caller.workspace_id, name)
        assert (await fault(caller.bus.call(actions.FIND, asked))).code is Code.NOT_FOUND


async def test_the_first_action_is_its_apps_default_and_another_follows_it(caller):
    app = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "Docs"))
    first, second = [
        await caller.bus.call(actions.CREATE, actions.CreateAction(caller.workspace_id, app.id, name, "x"))
        for name in ("first", "second")
    ]
    asked = apps.GetApp(caller.workspace_id, app.id)
    assert (await caller.bus.call(apps.GET, asked)).default_action_id == first.id
    await caller.bus.call(actions.DELETE, actions.GetAction(caller.workspace_id, first.id))
    assert (await caller.bus.call(apps.GET, asked)).default_action_id == second.id
    await caller.bus.call(apps.DELETE, asked)
    gone = actions.GetAction(caller.workspace_id, second.id)
    assert (await fault(caller.bus.call(actions.GET, gone))).code is Code.NOT_FOUND
    assert (await fault(caller.run(second))).code is Code.NOT_FOUND


async def test_an_app_is_made_with_its_default_action_and_run_by_its_own_id(caller):
    app = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "Docs", prompt="Say {{a}}"))
    [default] = await caller.bus.call(actions.OF, actions.ActionsOf(caller.workspace_id, [app.default_action_id]))
    assert (default.name, default.prompt, default.app_id) == ("Docs", "Say {{a}}", app.id)
    run = await caller.bus.call(runs.START, runs.StartRun(caller.workspace_id, ids.new(), app.id, {"a": "x"}, "klu"))
    assert (run.action_id, run.prompt[-1].content) == (default.id, "Say x")
    changed = apps.UpdateApp(caller.workspace_id, app.id, description="Ours", prompt="Tell {{a}}")
    assert (await caller.bus.call(apps.UPDATE, changed)).description == "Ours"
    run = await caller.bus.call(runs.START, runs.StartRun(caller.workspace_id, ids.new(), app.id, {"a": "x"}, "klu"))
    assert (run.action_version, run.prompt[-1].content) == (2, "Tell x")
    session = await caller.bus.call(sessions.CREATE, sessions.CreateSession(caller.workspace_id, app.id))
    assert session.action_id == default.id


async def test_an_app_whose_action_is_refused_is_not_made(caller):
    refused = await fault(caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "Docs", prompt="{{ x")))
    assert (refused.code, refused.field) == (Code.INVALID, "prompt")
    assert (await caller.bus.call(apps.PAGE, apps.PageApps(caller.workspace_id))).total == 0


async def test_an_app_without_an_action_runs_once_it_is_given_a_prompt(caller, other):
    app = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "Empty"))
    start = runs.StartRun(caller.workspace_id, ids.new(), app.id, {}, "klu")
    assert (await fault(caller.bus.call(runs.START, start))).code is Code.INVALID
    foreign = runs.StartRun(other.workspace_id, ids.new(), app.id, {}, "klu")
    assert (await fault(caller.bus.call(runs.START, foreign))).code is Code.NOT_FOUND
    await caller.bus.call(apps.UPDATE, apps.UpdateApp(caller.workspace_id, app.id, prompt="Speak."))
    assert (await caller.bus.call(runs.START, start)).status is runs.Status.SUCCEEDED
    await caller.bus.call(apps.DELETE, apps.GetApp(caller.workspace_id, app.id))
    gone = runs.StartRun(caller.workspace_id, ids.new(), app.id, {}, "klu")
    assert (await fault(caller.bus.call(runs.START, gone))).code is Code.NOT_FOUND


async def test_actions_are_told_by_their_ids_to_their_own_workspace(caller, other):
    made = await caller.action("Say it")
    wanted = [made.id, ids.new()]
    assert await caller.bus.call(actions.OF, actions.ActionsOf(caller.workspace_id, wanted)) == [made]
    assert await other.bus.call(actions.OF, actions.ActionsOf(other.workspace_id, wanted)) == []


async def test_a_session_of_the_callers_own_naming_begins_with_its_first_run(caller, other, upstream):
    action, theirs = await caller.action("{{a}}"), await other.action("{{a}}")
    id = ids.named(caller.workspace_id, "visitor 7")
    for said in ("I am Ada.", "Who am I?"):
        await caller.run(action, {"a": said}, session_id=id, new_session="visitor 7")
    messages = [message["content"] for message in upstream.asked[-1].body["messages"]]
    assert messages[-3:] == ["I am Ada.", upstream.default.text, "Who am I?"]
    made = await caller.bus.call(sessions.GET, sessions.GetSession(caller.workspace_id, id))
    assert (made.name, made.action_id) == ("visitor 7", action.id)
    # The same id in another workspace is another session.
    for said in ("I am Bob.", "And I?"):
        run = await other.run(theirs, {"a": said}, session_id=id, new_session="")
    messages = [message["content"] for message in upstream.asked[-1].body["messages"]]
    assert messages == ["I am Bob.", upstream.default.text, "And I?"]
    assert run.session_id != id
    assert (await fault(other.run(theirs, {"a": "x"}, session_id=id))).code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"prompt": "{{ x"}, "prompt"),
        ({"prompt": "x", "system_message": "{% if %}"}, "system_message"),
        ({"prompt": "x", "examples": [actions.Example("assistant", "{{ x")]}, "examples"),
        ({"prompt": "x", "parameters": Parameters(temperature=3)}, "parameters.temperature"),
        ({"prompt": "x", "parameters": Parameters(top_p=float("nan"))}, "parameters.top_p"),
        ({"prompt": "x", "parameters": Parameters(max_tokens=0)}, "parameters.max_tokens"),
        ({"prompt": "x", "parameters": Parameters(stop=["a", ""])}, "parameters.stop"),
    ],
)
async def test_an_action_that_would_not_run_is_refused(caller, more, field):
    refused = await fault(caller.action(**more))
    assert (refused.code, refused.field) == (Code.INVALID, field)


async def test_a_parameter_that_a_run_brings_is_refused_as_an_actions_is(caller):
    refused = await fault(caller.run(await caller.action(), parameters=Parameters(max_tokens=0)))
    assert (refused.code, refused.field) == (Code.INVALID, "parameters.max_tokens")
    assert refused.message == "max_tokens must be between 1 and 10,000,000."


async def test_an_action_names_what_the_workspace_has(caller, other):
    app = await other.bus.call(apps.CREATE, apps.CreateApp(other.workspace_id, "Theirs"))
    theirs = actions.CreateAction(caller.workspace_id, app.id, "Ask", "x")
    assert (await fault(caller.bus.call(actions.CREATE, theirs))).message.startswith("There is no app")
    unknown = await fault(caller.action(model_id=ids.new()))
    assert (unknown.code, unknown.message.startswith("There is no model")) == (Code.NOT_FOUND, True)


async def test_the_installations_model_is_everyones_to_use_and_nobodys_to_change(caller, upstream):
    model = await caller.bus.call(models.GET, models.GetModel(caller.workspace_id))
    assert (model.workspace_id, model.llm, model.provider.url) == (None, "small", upstream.openai_url)
    assert (
        await fault(caller.bus.call(models.DELETE, models.GetModel(caller.workspace_id, model.id)))
    ).code is Code.FORBIDDEN
    change = models.UpdateProvider(caller.workspace_id, model.provider.id, url="https://elsewhere.example")
    assert (await fault(caller.bus.call(models.UPDATE_PROVIDER, change))).code is Code.FORBIDDEN


async def add(caller, llm: str = "large", provider: str = "OpenAI", **more) -> models.Model:
    return await caller.bus.call(models.CREATE, models.CreateModel(caller.workspace_id, llm, provider, **more))


async def test_a_providers_name_says_where_it_is(caller):
    model = await add(caller, "claude-sonnet-4", "Anthropic", key="sk-ant-secret-9876")
    provider = model.provider
    assert (provider.kind, provider.url, provider.masked_key) == ("anthropic", "https://api.anthropic.com", "…9876")
    assert model.context_window == 200_000


async def test_a_model_is_found_by_its_provider_and_its_name_there(caller):
    made = await add(caller, "vendor/Large", "OpenAI", key="sk-1234567890abcdef")

    async def found(provider: str, llm: str) -> models.Model:
        return await caller.bus.call(models.FIND, models.FindModel(caller.workspace_id, provider, llm))

    assert await found("openai", "vendor/large") == made
    default = await caller.bus.call(models.GET, models.GetModel(ids.new()))
    assert (await found(default.provider.name, default.llm)).id == default.id
    assert (await fault(found("OpenAI", "small"))).code is Code.NOT_FOUND
    elsewhere = models.FindModel(ids.new(), "OpenAI", "vendor/Large")
    assert (await fault(caller.bus.call(models.FIND, elsewhere))).code is Code.NOT_FOUND


async def test_models_of_one_provider_share_it(caller):
    first = await add(caller, "gpt-4o", key="sk-secret-1")
    second = await add(caller, "gpt-4o-mini")
    third = await add(caller, "gpt-4.1", first.provider.name.upper(), key="sk-secret-1")
    by_id = await add(caller, "o3", str(first.provider.id))
    other_key = await add(caller, "o4", key="sk-secret-2")
    assert first.provider.id == second.provider.id == third.provider.id == by_id.provider.id != other_key.provider.id


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"provider": "Nobody"}, "url"),
        ({"provider": "OpenAI"}, "key"),
        ({"provider": "Mine", "url": "https://10.0.0.1/v1"}, "url"),
        ({"provider": "Mine", "url": "http://models.example.com/v1"}, None),
        ({"provider": "Mine", "url": "ftp://models.example/v1"}, "url"),
        ({"provider": "", "key": "k"}, "provider"),
        ({"llm": " ", "key": "k"}, "llm"),
        ({"key": "k", "context_window": 1}, "context_window"),
    ],
)
async def test_a_model_that_could_not_be_asked_is_refused(caller, more, field):
    if field is None:
        # A name is looked up when it is asked: behind it may be an address of the allow-list.
        assert (await add(caller, **more)).provider.url == "http://models.example.com/v1"
        return
    refused = await fault(add(caller, **more))
    assert (refused.code, refused.field) == (Code.INVALID, field)


async def test_one_model_is_the_workspaces_default(caller, upstream):
    url = {"provider": "Mine", "url": upstream.openai_url}
    first, second = await add(caller, "first", **url, default=True), await add(caller, "second", **url)
    action = await caller.action()
    assert (await caller.run(action)).model == "first"
    await caller.bus.call(models.UPDATE, models.UpdateModel(caller.workspace_id, second.id, default=True))
    assert (await caller.bus.call(models.GET, models.GetModel(caller.workspace_id))).id == second.id
    assert (await caller.run(action)).model == "second"
    page = await caller.bus.call(models.PAGE, models.PageModels(caller.workspace_id))
    assert {model.llm: model.default for model in page.items} == {"small": False, "first": False, "second": True}
    await caller.bus.call(models.DELETE, models.GetModel(caller.workspace_id, second.id))
    assert (await caller.run(action)).model == "small", "the installation's: the first is not the default any more"
    assert first.provider.default is False


async def test_a_model_answers_unasked_where_it_is_said_to_or_is_the_first_and_nothing_is_said(caller, other, upstream):
    url = {"provider": "Mine", "url": upstream.openai_url}
    named_only = await add(caller, "named only", **url, default=False)
    assert (await caller.run(await caller.action())).model == "small"
    assert (await caller.run(await caller.action(model_id=named_only.id))).model == "named only"
    assert (named_only.default, (await add(caller, "second", **url, default_if_first=True)).default) == (False, False)
    first = await add(other, "first", **url, default_if_first=True)
    assert (first.default, (await other.run(await other.action())).model) == (True, "first")
    assert (await add(other, "next", **url, default_if_first=True)).default is False
    for changed, says in ((False, "small"), (True, "first")):
        update = models.UpdateModel(other.workspace_id, first.id, default=changed)
        assert (await other.bus.call(models.UPDATE, update)).default is changed
        assert (await other.run(await other.action())).model == says


async def test_two_models_that_are_made_the_default_at_once_are_it_one_after_the_other(caller, upstream):
    url = {"provider": "Mine", "url": upstream.openai_url}
    await asyncio.gather(*(add(caller, f"m{number}", **url, default=True) for number in range(6)))
    page = await caller.bus.call(models.PAGE, models.PageModels(caller.workspace_id))
    assert [model.default for model in page.items].count(True) == 1


async def test_a_key_is_sent_to_its_provider_and_shown_to_nobody(caller, upstream, databases):
    model = await add(caller, "mine", "Mine", url=upstream.openai_url, key="sk-first-key-0001")
    action = await caller.action(model_id=model.id)
    await caller.run(action)
    assert upstream.asked[-1].headers["authorization"] == "Bearer sk-first-key-0001"
    change = models.UpdateProvider(caller.workspace_id, model.provider.id, key="sk-second-key-0002")
    changed = await caller.bus.call(models.UPDATE_PROVIDER, change)
    await caller.run(action)
    assert upstream.asked[-1].headers["authorization"] == "Bearer sk-second-key-0002"
    assert (changed.masked_key, model.provider.masked_key) == ("…0002", "…0001")
    connection = await asyncpg.connect(databases.dsn("runner"))
    rows = await connection.fetch("SELECT providers::text FROM providers")
    await connection.close()
    assert not [row for row in rows if b"sk-second".hex() in row[0] or "sk-second" in row[0]]


async def test_a_model_changes_with_its_providers_key_and_address_or_not_at_all(caller):
    model = await add(caller, "gpt-4o", "Mine", url="http://one.example.com/v1", key="sk-first-key-0001")
    mine, elsewhere = (caller.workspace_id, model.id), "http://two.example.com/v1"
    for refused, field in (
        (models.UpdateModel(*mine, llm="gpt-5", url="ftp://two.example.com"), "url"),
        (models.UpdateModel(*mine, llm=" ", key="sk-second-key-0002", url=elsewhere), "llm"),
    ):
        assert (await fault(caller.bus.call(models.UPDATE, refused))).field == field
        assert await caller.bus.call(models.GET, models.GetModel(*mine)) == model
    change = models.UpdateModel(*mine, llm="gpt-5", key="sk-second-key-0002")
    changed = await caller.bus.call(models.UPDATE, change)
    assert (changed.llm, changed.provider.masked_key, changed.provider.url) == ("gpt-5", "…0002", model.provider.url)


async def test_a_key_moved_to_another_row_does_not_open(caller, other, upstream, databases):
    theirs = await add(other, "theirs", "Theirs", url=upstream.openai_url, key="sk-their-key-0001")
    mine = await add(caller, "mine", "Mine", url=upstream.openai_url, key="sk-mine-key-0002")
    connection = await asyncpg.connect(databases.dsn("runner"))
    moved = "UPDATE providers SET sealed_key = (SELECT sealed_key FROM providers WHERE id = $1) WHERE id = $2"
    await connection.execute(moved, theirs.provider.id, mine.provider.id)
    await connection.close()
    assert (await fault(caller.action(model_id=mine.id))).code is Code.INTERNAL


async def test_with_a_provider_go_its_models(caller):
    model = await add(caller, "gpt-4o", key="sk-secret-1")
    await caller.bus.call(models.DELETE_PROVIDER, models.GetProvider(caller.workspace_id, model.provider.id))
    gone = models.GetModel(caller.workspace_id, model.id)
    assert (await fault(caller.bus.call(models.GET, gone))).code is Code.NOT_FOUND


async def test_sessions_are_found_by_action_and_end_user(caller):
    action = await caller.action()
    for end_user in ("ada", "bob", "ada"):
        asked = sessions.CreateSession(caller.workspace_id, action.id, "Chat", end_user)
        session = await caller.bus.call(sessions.CREATE, asked)
    await caller.session()

    async def total(**more) -> int:
        return (await caller.bus.call(sessions.PAGE, sessions.PageSessions(caller.workspace_id, **more))).total

    assert [await total(), await total(action_id=action.id), await total(end_user="ada")] == [4, 3, 2]
    asked = sessions.GetSession(caller.workspace_id, session.id)
    assert await caller.bus.call(sessions.DELETE, asked) == session
    assert (await fault(caller.bus.call(sessions.GET, asked))).code is Code.NOT_FOUND
    assert (await fault(caller.run(action, session_id=session.id))).code is Code.NOT_FOUND


async def test_nothing_is_seen_from_another_workspace(caller, other):
    action = await caller.action()
    session, model = await caller.session(action), await add(caller, key="sk-secret-1")
    run = await caller.run(action, run_id=ids.new())
    theirs = other.workspace_id
    for call in (
        other.bus.call(apps.GET, apps.GetApp(theirs, action.app_id)),
        other.bus.call(apps.UPDATE, apps.UpdateApp(theirs, action.app_id, name="mine")),
        other.bus.call(apps.DELETE, apps.GetApp(theirs, action.app_id)),
        other.bus.call(actions.GET, actions.GetAction(theirs, action.id)),
        other.bus.call(actions.UPDATE, actions.UpdateAction(theirs, action.id, prompt="mine")),
        other.bus.call(actions.DELETE, actions.GetAction(theirs, action.id)),
        other.bus.call(sessions.GET, sessions.GetSession(theirs, session.id)),
        other.bus.call(sessions.DELETE, sessions.GetSession(theirs, session.id)),
        other.bus.call(models.GET, models.GetModel(theirs, model.id)),
        other.bus.call(models.UPDATE, models.UpdateModel(theirs, model.id, llm="mine")),
        other.bus.call(models.DELETE_PROVIDER, models.GetProvider(theirs, model.provider.id)),
        other.run(action),
        other.get(run.id),
        other.cancel(run.id),
    ):
        assert (await fault(call)).code is Code.NOT_FOUND
    assert (await fault(other.run(await other.action(), session_id=session.id))).code is Code.NOT_FOUND
    assert not (await other.frames(run.id)).found


async def test_texts_with_nul_are_stored_readable(caller):
    app = await caller.bus.call(apps.CREATE, apps.CreateApp(caller.workspace_id, "a\x00b", "c\x00"))
    assert (app.name, app.description) == ("a\ufffdb", "c\ufffd")
    shown = [actions.Example("user", "a\x00"), actions.Example("assistant", "b")]
    action = await caller.action("x\x00 {{question}}", metadata={"k\x00": ["v\x00"]}, examples=shown)
    assert action.metadata == {"k\ufffd": ["v\ufffd"]}
    assert action.examples == [actions.Example("user", "a\ufffd"), shown[1]]
    run = await caller.run(action, {"question": "why\x00"}, metadata={"a": "b\x00"})
    assert (run.prompt[-1].content, run.metadata) == ("x\ufffd why\ufffd", {"a": "b\ufffd"})


@pytest.mark.parametrize("told", [{"data": [{"id": "m"}]}, [{"id": "m"}], {"models": []}])
async def test_a_list_of_models_may_have_any_shape_in_use(caller, told):
    assert await validated(caller, web.json_response(told)) is True


@pytest.mark.parametrize("told", ["<html>Welcome</html>", '{"ok": true}', '"models"', "[" * 10_000])
async def test_what_lists_no_models_opens_nothing(caller, told):
    with pytest.raises(Fault, match="Own answered with something else") as refused:
        await validated(caller, web.Response(text=told))
    assert refused.value.code is Code.UPSTREAM


async def validated(caller, told: web.Response) -> bool:
    async def listing(_: web.Request) -> web.Response:
        return told

    async with site(listing) as url:
        await caller.bus.call(models.CREATE_PROVIDER, models.CreateProvider(caller.workspace_id, "Own", "old", url))
        return await caller.bus.call(models.VALIDATE, models.ValidateKey(caller.workspace_id, "own", "sk-new"))


@pytest.mark.parametrize(("status", "valid"), [(200, True), (401, False), (403, False), (500, None)])
async def test_a_key_is_tried_at_its_provider(caller, status, valid):
    asked = []

    async def listing(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"]))
        return web.json_response({"data": []}, status=status)

    async with site(listing) as url:
        await caller.bus.call(models.CREATE_PROVIDER, models.CreateProvider(caller.workspace_id, "Own", "old", url))
        tried = models.ValidateKey(caller.workspace_id, "own", "sk-new")
        if valid is None:
            with pytest.raises(Fault, match="Own answered 500"):
                await caller.bus.call(models.VALIDATE, tried)
        else:
            assert await caller.bus.call(models.VALIDATE, tried) is valid
    assert asked == [("/models", "Bearer sk-new")]
