"""A provider's fine-tuning endpoint in OpenAI's protocol: `files`, `fine_tuning/jobs`, one job, its cancelling.

It refuses what OpenAI refuses (a wrong purpose, lines that are no chats, fewer than `least` of them, an unknown file),
keeps what it was sent, and moves a job on by one status each time that it is asked about.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_ROLES = ["system", "user", "assistant"]


@dataclass
class Job:
    id: str
    model: str
    training_file: str
    suffix: str | None
    steps: list[str]
    error: str | None = None

    @property
    def status(self) -> str:
        return self.steps[0]

    def told(self) -> dict[str, Any]:
        done = self.status == "succeeded"
        return {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": self.model,
            "created_at": 1,
            "finished_at": 2 if done else None,
            "fine_tuned_model": f"ft:{self.model}:org:{self.suffix or ''}:1" if done else None,
            "organization_id": "org",
            "result_files": [],
            "status": self.status,
            "validation_file": None,
            "training_file": self.training_file,
            "hyperparameters": {"n_epochs": "auto"},
            "error": {"code": "bad", "message": self.error, "param": None} if self.error else {},
        }


@dataclass
class Endpoint:
    """`steps` are the statuses of the next jobs, `fails` the answers to the next requests; `lost` of the next jobs
    begun are kept without an answer, and `gate` is waited for before one is answered.
    """

    url: str = ""
    key: str = "sk-1234567890abcdef"
    least: int = 1
    steps: list[str] = field(default_factory=lambda: ["validating_files", "queued", "running", "succeeded"])
    error: str | None = None
    lost: int = 0
    gate: asyncio.Event | None = None
    fails: list[web.Response] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)

    def examples(self, file: str) -> list[Any]:
        return [json.loads(line) for line in self.files[file].splitlines()]

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        part = form.get("file")
        if form.get("purpose") != "fine-tune" or not isinstance(part, web.FileField):
            return _refusal(400, "Expected a file, and the purpose fine-tune.")
        if not part.filename.endswith(".jsonl"):
            return _refusal(400, "Expected a .jsonl file.")
        id = f"file-{len(self.files) + 1}"
        self.files[id] = part.file.read()
        told = {"object": "file", "id": id, "bytes": len(self.files[id]), "filename": part.filename}
        return web.json_response(told | {"purpose": "fine-tune", "status": "processed", "created_at": 1})

    async def start(self, request: web.Request) -> web.Response:
        asked = await request.json()
        file = asked.get("training_file")
        if file not in self.files:
            return _refusal(400, f"There is no file {file}.")
        if not asked.get("model") or len(asked.get("suffix") or "") > 64:
            return _refusal(400, "Expected a model, and a suffix of 64 characters at most.")
        if (wrong := self._wrong(file)) is not None:
            return _refusal(400, wrong)
        job = Job(
            f"ftjob-{len(self.jobs) + 1}", asked["model"], file, asked.get("suffix"), list(self.steps), self.error
        )
        self.jobs[job.id] = job
        if self.gate is not None:
            await self.gate.wait()
        if self.lost:
            self.lost -= 1
            return _refusal(503, "The answer was lost.")
        return web.json_response(job.told())

    def _wrong(self, file: str) -> str | None:
        examples = self.examples(file)
        if len(examples) < self.least:
            return f"Training file has {len(examples)} example(s), but must have at least {self.least} examples"
        for example in examples:
            turns = example["messages"]
            if turns[-1]["role"] != "assistant" or any(turn["role"] not in _ROLES for turn in turns):
                return "An example is a chat that ends with the assistant's answer."
            if any(not isinstance(turn["content"], str) for turn in turns):
                return "Expected text."
        return None

    async def list(self, _: web.Request) -> web.Response:
        jobs = [job.told() for job in reversed(self.jobs.values())]
        return web.json_response({"object": "list", "data": jobs, "has_more": False})

    async def get(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            return _refusal(404, "There is no such job.")
        if len(job.steps) > 1:
            job.steps.pop(0)
        return web.json_response(job.told())

    async def cancel(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        job.steps = ["cancelled"]
        return web.json_response(job.told())

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return _refusal(401, f"Incorrect API key provided: {self.key}")
        return self.fails.pop(0) if self.fails else await handler(request)


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


@asynccontextmanager
async def finetuning() -> AsyncGenerator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application(client_max_size=64 << 20, middlewares=[endpoint.guard])
    app.router.add_post("/v1/files", endpoint.upload)
    app.router.add_post("/v1/fine_tuning/jobs", endpoint.start)
    app.router.add_get("/v1/fine_tuning/jobs", endpoint.list)
    app.router.add_get("/v1/fine_tuning/jobs/{id}", endpoint.get)
    app.router.add_post("/v1/fine_tuning/jobs/{id}/cancel", endpoint.cancel)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield endpoint
    await runner.cleanup()
