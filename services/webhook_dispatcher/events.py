"""Events that an endpoint can subscribe to: by name, by prefix (`generation.*`) or all of them (`*`).

Owner: webhook_dispatcher. The names are the public ones of the KlairoAI contract, not the engine's own subjects.
"""

from collections.abc import Sequence

from libs.contracts.faults import Code, Fault

ALL = "*"
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
WEBHOOK_DISABLED = "webhook.disabled"
TEST_PING = "test.ping"

NAMES = frozenset(
    {
        "automation.run",
        "automation.run.completed",
        "automation.run.failed",
        "plan.changed",
        "usage.limit_reached",
        FEEDBACK_CREATED,
        GENERATION_COMPLETED,
        GENERATION_FAILED,
        DOCUMENT_INDEXED,
        DOCUMENT_FAILED,
        ARIA_MESSAGE,
        CHAT_MESSAGE_CREATED,
        CONTACT_CREATED,
        CONTACT_UPDATED,
        EVAL_COMPLETED,
        EVAL_FAILED,
        WEBHOOK_DISABLED,
        TEST_PING,
    }
)


def patterns(name: str) -> list[str]:
    """What an endpoint may have subscribed to in order to hear `name`: itself, each of its prefixes, everything."""
    parts = name.split(".")
    return [name, *(".".join(parts[:depth]) + ".*" for depth in range(1, len(parts))), ALL]


PATTERNS = frozenset(pattern for name in NAMES for pattern in patterns(name))


def subscription(events: Sequence[str]) -> list[str]:
    """The list without repetitions, in its order. Raises Fault INVALID where it is empty or names no event of ours."""
    if not events:
        raise _invalid('Name at least one event, or ["*"] for all.')
    for event in events:
        if event not in PATTERNS:
            raise _invalid(f"{event[:100]!r} is no event. Events are {', '.join(sorted(NAMES))}, a prefix (x.*) or *.")
    return list(dict.fromkeys(events))


def _invalid(message: str) -> Fault:
    return Fault(Code.INVALID, message, field="events")
