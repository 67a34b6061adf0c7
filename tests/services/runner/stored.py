"""Nouns of the runner as they would come from its database."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.contracts import actions, ids


def action(**more: Any) -> actions.Action:
    now = datetime.now(UTC)
    made = actions.Action(
        id=ids.new(),
        workspace_id=ids.new(),
        app_id=ids.new(),
        version_id=ids.new(),
        version=1,
        name="Ask",
        kind="prompt",
        description="",
        prompt="{{question}}",
        system_message="",
        model_id=None,
        parameters=actions.Parameters(),
        context_ids=[],
        metadata={},
        created_by=None,
        created_at=now,
        updated_at=now,
    )
    return msgspec.structs.replace(made, **more)
