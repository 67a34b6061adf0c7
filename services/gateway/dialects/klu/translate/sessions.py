"""Sessions."""

from libs.contracts import sessions
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller


def create(caller: Caller, body: wire.sessions.CreateSession) -> sessions.CreateSession:
    return sessions.CreateSession(
        workspace_id=caller.workspace_id,
        action_id=values.reference(body.action, "action"),
        name=body.name or "",
        end_user=values.end_user(body.ext_user_id),
        created_by=caller.account_id,
    )


def reply(session: sessions.Session) -> wire.sessions.Session:
    action = values.spelled(session.action_id)
    return wire.sessions.Session(
        id=str(session.id),
        guid=str(session.id),
        name=session.name,
        action=action,
        action_id=action,
        ext_user_id=session.end_user or None,
        ext_user_ids=session.end_user or None,
        created_by_id=values.spelled(session.created_by),
        created_at=session.created_at,
        updated_at=session.updated_at,
    )
