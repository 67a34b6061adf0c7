"""Public names of what happens: those that webhooks and automations subscribe to, by name, by prefix or all of them.

They are the names of the KlairoAI contract, not the engine's own subjects; which facts bear them their hearers say.
"""

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


PATTERNS = frozenset(pattern for name in NAMES for pattern in patterns(name))
