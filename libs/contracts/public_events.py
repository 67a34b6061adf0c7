"""Public names of what happens: those that webhooks and automations subscribe to, by name, by prefix or all of them.

They are the names of the KlairoAI contract, not the engine's own subjects. Which facts bear them their hearers say,
but for those that bear one of several.
"""

from typing import Any

from msgspec import Struct

from libs.contracts.evals import TrialFinished
from libs.contracts.runs import ARIA, RunFinished, Status

_NOT_TOLD = frozenset({"workspace_id", "chain", "unread"})
# What the public names of the engine's fields are, where they have others.
_CALLED = {"endpoint_id": "webhook_id", "before": "previous_plan", "failure": "error"}

ALL = "*"
AUTOMATION_RUN = "automation.run"
AUTOMATION_COMPLETED = "automation.run.completed"
AUTOMATION_FAILED = "automation.run.failed"
GENERATION_COMPLETED = "generation.completed"
GENERATION_FAILED = "generation.failed"
FEEDBACK_CREATED = "feedback.created"
DOCUMENT_INDEXED = "document.indexed"
DOCUMENT_FAILED = "document.failed"
ARIA_MESSAGE = "aria.message"
CHAT_MESSAGE_CREATED = "chat.message.created"
CONTACT_CREATED = "contact.created"
CONTACT_UPDATED = "contact.updated"
EVAL_COMPLETED = "eval.completed"
EVAL_FAILED = "eval.failed"
PLAN_CHANGED = "plan.changed"
USAGE_LIMIT_REACHED = "usage.limit_reached"
WEBHOOK_DISABLED = "webhook.disabled"
TEST_PING = "test.ping"

NAMES = frozenset(
    {
        AUTOMATION_RUN,
        AUTOMATION_COMPLETED,
        AUTOMATION_FAILED,
        GENERATION_COMPLETED,
        GENERATION_FAILED,
        FEEDBACK_CREATED,
        DOCUMENT_INDEXED,
        DOCUMENT_FAILED,
        ARIA_MESSAGE,
        CHAT_MESSAGE_CREATED,
        CONTACT_CREATED,
        CONTACT_UPDATED,
        EVAL_COMPLETED,
        EVAL_FAILED,
        PLAN_CHANGED,
        USAGE_LIMIT_REACHED,
        WEBHOOK_DISABLED,
        TEST_PING,
    }
)


def patterns(name: str) -> list[str]:
    """What one may have subscribed to in order to hear `name`: itself, each of its prefixes, everything."""
    parts = name.split(".")
    return [name, *(".".join(parts[:depth]) + ".*" for depth in range(1, len(parts))), ALL]


def of_run(fact: RunFinished) -> str | None:
    """None for a cancelled one, which neither completed nor failed."""
    return {Status.SUCCEEDED: GENERATION_COMPLETED, Status.FAILED: GENERATION_FAILED}.get(fact.status)


def is_message(fact: RunFinished) -> bool:
    """Whether it is an answer of Aria's: an event of its own beside its generation, which has two names."""
    return fact.voice == ARIA and fact.status is Status.SUCCEEDED


def of_trial(fact: TrialFinished) -> str:
    """It has failed where somebody wants to be told so, and not all have passed."""
    return EVAL_FAILED if fact.alert and fact.passed < fact.total else EVAL_COMPLETED


def told(fact: Struct) -> dict[str, Any]:
    """What has happened, by the names that webhooks and automations have for it; ids are UUIDs.

    Whose workspace it is the hearer knows, and some is the engine's own.
    """
    facts = {name: getattr(fact, name) for name in fact.__struct_fields__ if name not in _NOT_TOLD}
    if (failure := facts.pop("failure", None)) is not None:
        facts["failure"] = {"code": failure.code, "message": failure.message}
    return {_CALLED.get(name, name): value for name, value in facts.items()}


def message(fact: RunFinished) -> dict[str, Any]:
    """An answer of Aria's, as the event of its own has it; ids are UUIDs."""
    prompt, completion = fact.usage.prompt_tokens, fact.usage.completion_tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"conversation_id": fact.session_id, "message_id": fact.run_id, "role": "assistant", "usage": usage}


PATTERNS = frozenset(pattern for name in NAMES for pattern in patterns(name))
