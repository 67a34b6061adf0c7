"""Steps of automations: what each of them does, and what it is told by.

Owner: runner. A step's texts are templates over what set the run off and what earlier steps came to.
"""

from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from libs.contracts.tools import Method


class RunAction(Struct, frozen=True, tag="run_action"):
    """A run of an action, or of an app's default one. `answer` and `run_id` are what it comes to, and `parsed` where
    the answer is JSON.
    """

    action_id: UUID
    inputs: str | dict[str, Any] = ""


class HttpRequest(Struct, frozen=True, tag="http_request"):
    """A request to a public address; comes to `status` and `body`, which is read where it is JSON. Any status but 2xx
    fails the step. A `body` that is no text is sent as JSON. Headers come in and are given out with `…` for their
    values. `timeout` is in seconds.
    """

    url: str
    method: Method = "POST"
    headers: dict[str, str] = {}
    body: Any = None
    timeout: float = 30.0


class Wait(Struct, frozen=True, tag="wait"):
    """For so many seconds, or `until` a moment (ISO 8601)."""

    seconds: float | None = None
    until: str = ""


class SendEmail(Struct, frozen=True, tag="send_email"):
    """Asks for a mail of plain text; whether it went out is not waited for."""

    to: list[str]
    subject: str
    text: str


class UpdateContact(Struct, frozen=True, tag="update_contact"):
    """Asks for other values of these fields of a contact, who is named by id in any spelling, or by e-mail."""

    fields: dict[str, Any]
    contact_id: str = ""
    email: str = ""


class Notify(Struct, frozen=True, tag="notify"):
    """A notification of the workspace's."""

    title: str
    body: str = ""
    metadata: dict[str, Any] = {}


Operator = Literal[
    "equals", "not_equals", "contains", "not_contains", "greater", "at_least", "less", "at_most", "empty", "not_empty"
]


class Condition(Struct, frozen=True, tag="condition"):
    """Comes to `met`. Where it is not, the run stops there and has completed, or the next `skip` steps are left out.

    Sizes are compared as numbers, everything else as text.
    """

    left: str
    op: Operator = "not_empty"
    right: str = ""
    otherwise: Literal["stop", "skip"] = "stop"
    skip: int = 1


Kind = RunAction | HttpRequest | Wait | SendEmail | UpdateContact | Notify | Condition


class Step(Struct, frozen=True):
    """Templates know what it came to as `steps.<name>`. Without a name it is `step_1`, by its place."""

    kind: Kind
    name: str = ""
