"""Files: uploads on their way into a context, and files of which the text alone is wanted.

Owner: retrieval. The gateway writes the bytes to the blob that `begin` names, then calls `finish`. An upload that is
not finished within 24 hours is swept.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Rpc


class BeginUpload(Struct, frozen=True):
    workspace_id: UUID
    name: str
    id: UUID | None = None


class Upload(Struct, frozen=True):
    """`blob` is the key to write the bytes under, `max_bytes` the most it may hold."""

    id: UUID
    workspace_id: UUID
    name: str
    blob: str
    max_bytes: int
    finished: bool


class FinishUpload(Struct, frozen=True):
    workspace_id: UUID
    upload_id: UUID
    size: int


class GetUpload(Struct, frozen=True):
    workspace_id: UUID
    upload_id: UUID


class ReadFile(Struct, frozen=True):
    """The text of a file, which goes into no context. What it is, is told by its content first, then by its name."""

    workspace_id: UUID
    name: str
    content: bytes


BEGIN = Rpc("rpc.retrieval.files.begin", BeginUpload, Upload)
GET = Rpc("rpc.retrieval.files.get", GetUpload, Upload)
FINISH = Rpc("rpc.retrieval.files.finish", FinishUpload, Upload)
READ = Rpc("rpc.retrieval.files.read", ReadFile, str)
