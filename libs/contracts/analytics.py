"""Analytics: how much happened in a workspace, counted by UTC day from the events that tell of it, each once.

Owner: feedback.
"""

from datetime import date
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Rpc


class AnalyticsOf(Struct, frozen=True):
    """From the first day to the last, both included; days on which nothing happened are left out."""

    workspace_id: UUID
    first: date
    last: date


class Day(Struct, frozen=True):
    """`chat_messages` are runs that clients started, by whichever voice, on the day of their end. `api_calls` came with
    an API key of the workspace. `webhooks_delivered` have arrived.
    """

    date: date
    chat_messages: int = 0
    automation_runs: int = 0
    contacts_created: int = 0
    api_calls: int = 0
    webhooks_delivered: int = 0


OF = Rpc("rpc.feedback.analytics.of", AnalyticsOf, list[Day])
