"""Klu's translations: pure, and whatever a client's JSON decodes to, they raise nothing but Fault."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import actions, automations, contexts, documents, evals, feedback, ids, models, runs, sessions
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page, Slice
from services.gateway.completions.wire import ChatRequest
from services.gateway.dialects.klu import translate, wire
from services.gateway.directory.callers import Caller
from tests.dialects.bodies import JSON, body_of, refusal
from tests.dialects.klu import examples

NOW = datetime(2026, 3, 11, 11, 30, tzinfo=UTC)
WORKSPACE, THING = ids.new(), ids.new()
CALLER = Caller(WORKSPACE, ids.new(), ids.new())

GUIDS = st.sampled_from(["", "x", str(THING), ids.crockford("act", THING), "0" * 26])
CHECKS = st.lists(
    st.sampled_from(["exact", "regex", "taste", ""])
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["exact", "contains", "regex", "json_schema", "similarity", "llm_judge", ""])},
        optional={
            "expected": JSON,
            "pattern": JSON,
            "schema": JSON,
            "threshold": JSON,
            "criteria": JSON,
            "model": JSON,
            "metadata": JSON,
        },
    ),
    max_size=3,
)
FIELDS: dict[Any, dict[str, Any]] = {
    wire.runs.RunAction: {
        "action": GUIDS,
        "session": GUIDS,
        "experiment": GUIDS,
        "metadata_filter": st.dictionaries(st.text(max_size=5), JSON, max_size=3),
        "streaming": st.none() | st.booleans() | st.text(max_size=5) | st.integers(0, 2),
    },
    wire.actions.CreateAction: {
        "app": GUIDS,
        "model": GUIDS,
        "model_config": st.dictionaries(
            st.sampled_from(["topP", "top_p", "stopSequence", "responseFormat", "logitBias", "eed", "seed", "timeout"]),
            JSON,
        ),
    },
    ChatRequest: dict.fromkeys(("max_tokens", "max_completion_tokens", "seed"), st.integers(-(2**63), 2**64 - 1)),
    wire.experiments.CreateExperiment: {"app_guid": GUIDS, "action_primary_guid": GUIDS},
    wire.datasets.CreateDataset: {"app": GUIDS, "data": st.lists(GUIDS, max_size=3)},
    wire.evals.CreateEval: {"action": GUIDS, "dataset": GUIDS, "eval_types": CHECKS},
    wire.evals.UpdateEval: {"action": GUIDS, "eval_types": CHECKS},
    wire.feedback.CreateFeedback: {"data": GUIDS, "data_guid": GUIDS},
    wire.documents.Search: {"metadata_filter": st.dictionaries(st.text(max_size=5), JSON, max_size=3)},
}
TRANSLATIONS = [
    (wire.runs.RunAction, lambda body: translate.runs.start(CALLER, body)),
    (wire.actions.CreateAction, lambda body: translate.actions.create(CALLER, body)),
    (
        wire.actions.UpdateAction,
        lambda body: translate.actions.update(CALLER, actions.GetAction(WORKSPACE, THING), body),
    ),
    (
        wire.actions.SetContext,
        lambda body: translate.actions.set_context(CALLER, actions.GetAction(WORKSPACE, THING), body),
    ),
    (wire.actions.Deploy, lambda body: translate.actions.deploy(CALLER, actions.GetAction(WORKSPACE, THING), body)),
    (wire.actions.Playground, lambda body: translate.drafts.playground(CALLER, body)),
    (wire.contexts.PromptContext, lambda body: translate.drafts.of_context(CALLER, body)),
    (ChatRequest, lambda body: translate.drafts.completion(CALLER, body, action_id=THING, model_id=None)),
    (wire.apps.CreateApp, lambda body: translate.apps.create(CALLER, body)),
    (wire.contexts.CreateContext, lambda body: translate.contexts.create(CALLER, body)),
    (
        wire.documents.AddDocument,
        lambda body: translate.documents.add(contexts.GetContext(WORKSPACE, THING), body),
    ),
    (
        wire.documents.Search,
        lambda body: translate.documents.query(contexts.GetContext(WORKSPACE, THING), body),
    ),
    (wire.feedback.CreateFeedback, lambda body: translate.feedback.create(CALLER, body)),
    (
        wire.feedback.UpdateFeedback,
        lambda body: translate.feedback.update(feedback.GetFeedback(WORKSPACE, THING), rating(2), body),
    ),
    (wire.experiments.CreateExperiment, lambda body: translate.experiments.create(CALLER, body)),
    (wire.datasets.CreateDataset, lambda body: translate.datasets.create(CALLER, body)),
    (wire.evals.CreateEval, lambda body: translate.evals.create(CALLER, body)),
    (wire.evals.UpdateEval, lambda body: translate.evals.update(evals.GetEval(WORKSPACE, THING), body)),
    (wire.finetunes.CreateFinetune, lambda body: translate.finetunes.create(CALLER, body)),
    (wire.finetunes.ProcessFinetune, lambda body: translate.finetunes.process(CALLER, body)),
    (
        wire.workflows.TriggerWorkflow,
        lambda body: translate.workflows.trigger(automations.GetAutomation(WORKSPACE, THING), body),
    ),
    (wire.sessions.CreateSession, lambda body: translate.sessions.create(CALLER, body)),
    (wire.models.CreateModel, lambda body: translate.models.create(CALLER, body)),
    (
        wire.models.UpdateModel,
        lambda body: translate.models.update(models.GetModel(WORKSPACE, THING), body),
    ),
    (wire.models.CreateProvider, lambda body: translate.models.create_provider(CALLER, body)),
    (
        wire.models.UpdateProvider,
        lambda body: translate.models.update_provider(models.GetProvider(WORKSPACE, THING), body),
    ),
]


def rating(value: int | str) -> feedback.Feedback:
    return feedback.Feedback(ids.new(), WORKSPACE, THING, "rating", value, "api", "", {}, NOW, NOW)


@pytest.mark.parametrize(("type", "apply"), TRANSLATIONS, ids=lambda case: getattr(case, "__name__", ""))
@settings(max_examples=50, deadline=None)
@given(sent=st.data())
def test_a_translation_raises_nothing_but_faults(type, apply, sent):
    fault = refusal(sent.draw(body_of(type, FIELDS)), type, apply)
    assert fault is None or (fault.field and fault.code in (Code.INVALID, Code.NOT_FOUND))


def run_body(**given: Any) -> wire.runs.RunAction:
    return msgspec.convert({"action": str(THING), "input": "hello", **given}, wire.runs.RunAction)


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, runs.Mode.BLOCKING),
        ({"streaming": True}, runs.Mode.STREAMING),
        ({"streaming": "true"}, runs.Mode.STREAMING),
        ({"streaming": "False", "async_mode": 1}, runs.Mode.ASYNC),
        ({"streaming": True, "async_mode": True}, runs.Mode.ASYNC),
        ({"streaming": None, "async_mode": None}, runs.Mode.BLOCKING),
    ],
)
def test_booleans_are_read_as_clients_write_them(given, mode):
    assert translate.runs.start(CALLER, run_body(**given)).mode is mode


def test_the_names_of_old_clients_still_run_an_action():
    body = msgspec.convert({"agent": str(THING), "prompt": "hello", "streaming": "true"}, wire.runs.RunAction)
    started = translate.runs.start(CALLER, body)
    assert (started.action_id, started.inputs, started.mode) == (THING, "hello", runs.Mode.STREAMING)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"action": "nothing"}, Code.NOT_FOUND, "action"),
        ({"action": None}, Code.INVALID, "action"),
        ({"input": None}, Code.INVALID, "input"),
        ({"session": "nothing"}, Code.NOT_FOUND, "session"),
        ({"experiment": "nothing"}, Code.NOT_FOUND, "experiment"),
        ({"experiment": str(THING), "force_action": "nothing"}, Code.NOT_FOUND, "force_action"),
        ({"streaming": "perhaps"}, Code.INVALID, "streaming"),
        ({"cache": "perhaps"}, Code.INVALID, "cache"),
        ({"metadata_filter": {"year": {"above": 3}}}, Code.INVALID, "metadata_filter.year"),
    ],
)
def test_what_a_run_can_not_start_with_is_named(given, code, field):
    with pytest.raises(Fault) as raised:
        translate.runs.start(CALLER, run_body(**given))
    assert (raised.value.code, raised.value.field) == (code, field)


@pytest.mark.parametrize(
    ("type", "value", "kept"),
    [
        ("rating", 1, 1),
        ("rating", "2", 2),
        ("rating", 3, 3),
        ("rating", None, ""),
        ("correction", "Better.", "Better."),
        ("issue", "hallucination", "hallucination"),
        ("issue", None, ""),
        ("action", "copied", "copied"),
    ],
)
def test_feedback_in_either_spelling(type, value, kept):
    body = wire.feedback.CreateFeedback(type=type, value=value, data=str(THING))
    assert translate.feedback.create(CALLER, body).value == kept


def test_who_rates_in_text_is_answered_in_text():
    assert translate.feedback.echoed(rating(2), "2").value == "2"
    assert translate.feedback.echoed(rating(2), 2).value == 2
    assert translate.feedback.reply(rating(2)).value == 2


@pytest.mark.parametrize(
    ("before", "type", "value", "asked"),
    [("2", "rating", None, 2), ("2", "rating", "1", 1), (2, "issue", None, "2"), (2, None, None, msgspec.UNSET)],
)
def test_a_value_that_stays_is_spelled_as_its_new_type_has_it(before, type, value, asked):
    kept = msgspec.structs.replace(rating(before), type="issue" if type == "rating" else "rating")
    body = wire.feedback.UpdateFeedback(type=type, value=value)
    assert translate.feedback.update(feedback.GetFeedback(WORKSPACE, THING), kept, body).value == asked


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        ({}, actions.Parameters()),
        ({"topP": 0.5, "maxResponseLength": 20}, actions.Parameters(top_p=0.5, max_tokens=20)),
        ({"top_p": 0.5, "max_response_length": 20}, actions.Parameters(top_p=0.5, max_tokens=20)),
        ({"stopSequence": "END", "numRetries": 2}, actions.Parameters(stop=["END"], retries=2)),
        ({"stopSequence": [], "logitBias": []}, actions.Parameters()),
        ({"responseFormat": "json_object"}, actions.Parameters(response_format={"type": "json_object"})),
        ({"temperature": None, "nonsense": 1}, actions.Parameters()),
    ],
)
def test_a_model_configuration_in_either_spelling(config, parameters):
    assert translate.actions.parameters(config) == parameters


def test_a_wrong_parameter_is_named_as_it_was_sent():
    with pytest.raises(Fault) as raised:
        translate.actions.parameters({"maxResponseLength": "many"})
    assert raised.value.field == "model_config.maxResponseLength"


def test_a_model_configuration_comes_back_as_it_went_in():
    config = {"temperature": 0.0, "responseFormat": "json_object", "stopSequence": ["a"], "seed": 7}
    shown = translate.actions.config(translate.actions.parameters(config))
    assert config.items() <= shown.items()
    assert shown["eed"] == 7


def test_a_chat_prompt_is_a_list_of_messages():
    body = wire.actions.CreateAction(
        name="chat",
        app=str(THING),
        prompt=[wire.runs.Message("system", "Be brief."), wire.runs.Message("user", "{{question}}")],
    )
    made = translate.actions.create(CALLER, body)
    assert (made.prompt, made.system_message, made.examples) == ("{{question}}", "Be brief.", [])


def test_what_the_assistant_says_in_a_chat_prompt_is_an_example_and_comes_back_where_it_stood():
    given = [
        wire.runs.Message("system", "Be brief."),
        wire.runs.Message("user", "Is it raining?"),
        wire.runs.Message("assistant", "No."),
        wire.runs.Message("user", "{{question}}"),
    ]
    made = translate.actions.create(CALLER, wire.actions.CreateAction(name="chat", app=str(THING), prompt=given))
    assert (made.prompt, made.system_message) == ("{{question}}", "Be brief.")
    assert made.examples == [actions.Example("user", "Is it raining?"), actions.Example("assistant", "No.")]
    kept = msgspec.structs.replace(examples.action, prompt=made.prompt, examples=made.examples)
    assert translate.actions.reply(kept).prompt == given[1:]


def test_a_prompt_holds_no_results_of_tools():
    body = wire.actions.CreateAction(name="chat", app=str(THING), prompt=[wire.runs.Message("tool", "Rain.")])
    with pytest.raises(Fault) as raised:
        translate.actions.create(CALLER, body)
    assert raised.value.field == "prompt[0].role"


def test_a_new_prompt_has_its_own_examples_alone():
    of = actions.GetAction(CALLER.workspace_id, THING)
    assert translate.actions.update(CALLER, of, wire.actions.UpdateAction(name="a")).examples is msgspec.UNSET
    assert translate.actions.update(CALLER, of, wire.actions.UpdateAction(prompt="{{question}}")).examples == []


@pytest.mark.parametrize(
    ("statuses", "spelled"),
    [
        ([], "SUCCESS"),
        ([documents.Status.INDEXED, documents.Status.PENDING], "PENDING"),
        ([documents.Status.FAILED, documents.Status.INDEXING, documents.Status.PENDING], "STARTED"),
        ([documents.Status.INDEXED, documents.Status.FAILED], "FAILURE"),
        ([documents.Status.INDEXED], "SUCCESS"),
    ],
)
def test_a_context_is_as_far_as_its_documents(statuses, spelled):
    assert translate.contexts.overall(statuses).status == spelled


@pytest.mark.parametrize(
    ("total", "offset", "shown", "more"), [(0, 0, 0, False), (5, 0, 2, True), (5, 3, 2, False), (5, 9, 0, False)]
)
def test_a_page_says_whether_there_is_another(total, offset, shown, more):
    page = translate.pages.reply(Page(list(range(shown)), total), Slice(offset, 2), str)
    assert (page.has_next_page, page.total_count) == (more, total)


FORBIDDEN: list[tuple[Any, set[str]]] = [
    (wire.models.Model, {"created_at", "updated_at", "created_by_id"}),
    (wire.models.Provider, {"created_at", "updated_at", "created_by_id"}),
    (wire.sessions.Session, {"created_at", "updated_at", "created_by_id", "action_id"}),
    (wire.documents.Document, {"created_at", "updated_at"}),
    (wire.workflows.Workflow, {"created_at", "updated_at"}),
    (wire.contexts.Context, {"created_by_id"}),
    (wire.workspaces.Workspace, {"created_by_id"}),
]


@pytest.mark.parametrize(("type", "names"), FORBIDDEN)
def test_a_reply_holds_no_name_at_which_an_sdk_raises(type, names):
    assert not names & set(type.__struct_encode_fields__)


def test_the_strict_replies_hold_exactly_what_the_sdks_know():
    assert set(wire.runs.RunReply.__struct_encode_fields__) == {
        "msg",
        "streaming",
        "data_guid",
        "result_url",
        "feedback_url",
        "streaming_url",
    }
    assert set(wire.contexts.Presigned.__struct_encode_fields__) == {"url", "fields", "object_url"}
    assert set(wire.pages.Status.__struct_encode_fields__) == {"status"}


def test_a_session_says_its_action_in_every_spelling():
    session = sessions.Session(ids.new(), WORKSPACE, THING, "", "user-1", None, NOW, NOW)
    shown = msgspec.to_builtins(translate.sessions.reply(session))
    assert shown["action"] == shown["actionId"] == str(THING)
    assert shown["extUserId"] == "user-1"
