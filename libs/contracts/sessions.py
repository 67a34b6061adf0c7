"""Sessions: the memory that successive runs share.

Owner: runner. A session's turns are its finished runs, ordered by the turn number each got when it was committed.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


class Session(Struct, frozen=True):
    id: UUID
    workspace_id: UUID
    action_id: UUID | None
    name: str
    end_user: str
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateSession(Struct, frozen=True):
    """`end_user` is the caller's own id of the person who speaks in it."""

    workspace_id: UUID
    action_id: UUID | None = None
    name: str = ""
    end_user: str = ""
    created_by: UUID | None = None
    id: UUID | None = None


class GetSession(Struct, frozen=True):
    workspace_id: UUID
    session_id: UUID


class ContinueFrom(Struct, frozen=True):
    """The session whose memory ends with this run's turn, for the run that is to follow it.

    The first that follows the last turn of a session is the session's own next one. Whoever follows a turn that was
    followed before gets a branch: a new session that remembers the turns up to that one. A run without a session
    begins one.
    """

    workspace_id: UUID
    run_id: UUID
    id: UUID | None = None


class PageSessions(Struct, frozen=True):
    workspace_id: UUID
    action_id: UUID | None = None
    end_user: str | None = None
    slice: Slice = Slice()


CREATE = Rpc("rpc.runner.sessions.create", CreateSession, Session)
GET = Rpc("rpc.runner.sessions.get", GetSession, Session)
CONTINUE = Rpc("rpc.runner.sessions.continue", ContinueFrom, Session)
PAGE = Rpc("rpc.runner.sessions.page", PageSessions, Page[Session])
DELETE = Rpc("rpc.runner.sessions.delete", GetSession, Session)
