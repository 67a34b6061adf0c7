"""Report: what the person is told once the engine is ready, and what a program is told by the ready file.

Owner: deploy.local. Each printed command works as it is pasted, in any shell and folder.
"""

import json
import shlex
from pathlib import Path

from msgspec import Struct

from deploy.local.credentials import Credentials, write_private
from deploy.local.demo import PLAIN_QUESTION, QUESTION
from deploy.local.engine import Engine
from libs.contracts.subjects import MAY_CALL


class Ready(Struct):
    """The ready file. `nats` and `postgres` are URLs with their administrator's password, `model` is a guid, and `dsns`
    are the POSTGRES_DSN of each service, for its own commands."""

    gateway: str
    workspace_id: str
    api_key: str
    email: str
    password: str
    app: str
    action: str
    context: str
    model: str
    nats: str
    postgres: str
    dsns: dict[str, str]


def ready(engine: Engine, known: Credentials, model: str) -> Ready:
    return Ready(
        gateway=engine.url,
        workspace_id=known.workspace_id,
        api_key=known.api_key,
        email=known.email,
        password=known.password,
        app=known.app,
        action=known.action,
        context=known.context,
        model=model,
        nats=engine.servers.nats_operator_url,
        postgres=engine.servers.postgres_url,
        dsns={service: engine.servers.dsn(service) for service in MAY_CALL},
    )


def block(told: Ready, plain_action: str, data: Path, *, seconds: float) -> str:
    ask, ask_with_a_document, rate = commands(told, plain_action, data)
    return f"""
Polyvox is ready after {seconds:.1f} s. Ctrl-C stops it.

  Gateway   {told.gateway}
  API key   {told.api_key}
  Account   {told.email}  {told.password}
  These stay the same; they are kept in {data / "credentials.json"}

Ask the model:

{ask}

Ask with a document (the answer comes from docs/in-short.md):

{ask_with_a_document}

Rate that answer (1 is bad, 2 is good):

{rate}
"""


def commands(told: Ready, plain_action: str, data: Path) -> tuple[str, str, str]:
    answer = shlex.quote(str(data / "answer.json"))
    ask = _curl(told, "/v1/actions", _body({"action": plain_action, "input": {"question": PLAIN_QUESTION}}))
    grounded = _curl(told, "/v1/actions", _body({"action": told.action, "input": {"question": QUESTION}}))
    of_the_answer = f"""'"$(sed -E 's/.*"data_guid": ?"([^"]+)".*/\\1/' {answer})"'"""
    rating = f"""'{{"data_guid": "{of_the_answer}", "type": "rating", "value": 2}}'"""
    return ask, f"{grounded} | tee {answer}", _curl(told, "/v1/feedback", rating)


def write(file: Path, told: Ready) -> None:
    """Whole or not at all: whoever waits for the file may read it as soon as it is there."""
    write_private(file, told)


def _curl(told: Ready, path: str, quoted_body: str) -> str:
    return (
        f"curl -s {told.gateway}{path} -H 'Authorization: Bearer {told.api_key}' \\\n"
        f"  -H 'Content-Type: application/json' -d {quoted_body}"
    )


def _body(body: dict[str, object]) -> str:
    return shlex.quote(json.dumps(body))
