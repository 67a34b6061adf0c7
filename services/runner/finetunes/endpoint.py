"""A provider's fine-tuning endpoint, in OpenAI's protocol: `files`, `fine_tuning/jobs`, one job.

The rule: every address is the workspace's own word, so all of it goes through the guarded client.
"""

import os
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.egress import Egress
from services.runner.providers import refusals
from services.runner.providers.call import Endpoint

T = TypeVar("T")

_SECONDS = 30.0
_UPLOAD_SECONDS = 300.0


class File(Struct, frozen=True):
    id: str


class JobError(Struct, frozen=True):
    message: str | None = None


class Job(Struct, frozen=True):
    """`status`: validating_files, queued, running, paused, succeeded, failed or cancelled."""

    id: str
    status: str
    training_file: str | None = None
    fine_tuned_model: str | None = None
    error: JobError | None = None


class Jobs(Struct, frozen=True):
    data: list[Job] = []


class Refused(Exception):
    """The provider does not want it; asking again makes no difference."""


class FineTuning:
    """Raises Refused, or Fault for what may be different later."""

    def __init__(self, egress: Egress, endpoint: Endpoint) -> None:
        self._egress, self._endpoint = egress, endpoint

    async def upload(self, name: str, lines: bytes) -> str:
        """The id of the file."""
        boundary = f"polyvox-{os.urandom(16).hex()}"
        body = _form(boundary, {"purpose": "fine-tune"}, name, lines)
        kind = f"multipart/form-data; boundary={boundary}"
        return (await self._ask("POST", "files", File, body=body, kind=kind, seconds=_UPLOAD_SECONDS)).id

    async def start(self, file: str, model: str, suffix: str) -> Job:
        wanted: dict[str, Any] = {"training_file": file, "model": model}
        if suffix:
            wanted["suffix"] = suffix
        return await self._ask("POST", "fine_tuning/jobs", Job, body=msgspec.json.encode(wanted))

    async def started(self, file: str) -> Job | None:
        """The job that was begun with this file, if any: nobody else has it."""
        jobs = await self._ask("GET", "fine_tuning/jobs?limit=100", Jobs)
        return next((job for job in jobs.data if job.training_file == file), None)

    async def job(self, id: str) -> Job:
        return await self._ask("GET", f"fine_tuning/jobs/{id}", Job)

    async def cancel(self, id: str) -> Job:
        return await self._ask("POST", f"fine_tuning/jobs/{id}/cancel", Job)

    async def _ask(
        self,
        method: str,
        path: str,
        of: type[T],
        *,
        body: bytes = b"",
        kind: str = "application/json",
        seconds: float = _SECONDS,
    ) -> T:
        provider = self._endpoint.provider
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if body else {})
        if self._endpoint.key:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        answer = await self._egress.request(
            method, f"{self._endpoint.url}/{path}", headers=headers, body=body, deadline=seconds
        )
        if answer.status != 200:
            refused = refusals.refused(provider, answer.status, answer.body, answer.headers.get("retry-after"))
            said = self._without_key(refused.fault.message)
            raise Fault(refused.fault.code, said, retry_after=refused.wait) if refused.again else Refused(said)
        try:
            return msgspec.json.decode(answer.body, type=of)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Fault(Code.UPSTREAM, f"{provider} sent an answer that can't be read.") from None

    def _without_key(self, said: str) -> str:
        return said.replace(self._endpoint.key, "…") if self._endpoint.key else said


def _form(boundary: str, fields: dict[str, str], name: str, file: bytes) -> bytes:
    """multipart/form-data (RFC 7578) with one file."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += "Content-Type: application/jsonl\r\n\r\n"
    return b"".join((*parts, head.encode(), file, f"\r\n--{boundary}--\r\n".encode()))
