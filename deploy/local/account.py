"""The account: the demo's workspace, its owner and its API key, made through the operator's own command.

Owner: deploy.local. The key is made here and handed in, so that a start which was interrupted can be repeated.
"""

import asyncio
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from deploy.local.children import ROOT, tied
from deploy.local.credentials import Credentials, new_key
from deploy.local.trouble import Trouble

WORKSPACE = "Demo"


class _Workspace(Struct):
    id: str


class _Key(Struct):
    revoked_at: str | None


class _Bootstrapped(Struct):
    """What `admin bootstrap --json` says, as far as it matters here."""

    workspace: _Workspace
    key: _Key


async def ensure(data: Path, dsn: str, known: Credentials) -> Credentials:
    """The credentials with their workspace's id; `dsn` is the gateway's. A key that was revoked is replaced."""
    made = await _bootstrap(data, dsn, known)
    if made.key.revoked_at is not None:
        known = msgspec.structs.replace(known, api_key=new_key())
        made = await _bootstrap(data, dsn, known)
    return msgspec.structs.replace(known, workspace_id=made.workspace.id)


async def _bootstrap(data: Path, dsn: str, known: Credentials) -> _Bootstrapped:
    with TemporaryDirectory(dir=data) as folder:
        password, key = Path(folder) / "password", Path(folder) / "key"
        password.write_text(known.password)
        key.write_text(known.api_key)
        words = ["bootstrap", "--json", "--email", known.email, "--workspace", WORKSPACE]
        words += ["--password-file", str(password), "--key-file", str(key)]
        return msgspec.json.decode(await _admin(dsn, words), type=_Bootstrapped)


async def _admin(dsn: str, words: list[str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.gateway", "admin", *words),
        cwd=ROOT,
        env=dict(os.environ) | {"POSTGRES_DSN": dsn},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=tied(),
    )
    said, complained = await process.communicate()
    if process.returncode != 0:
        raise Trouble(f"The demo's account can't be made: {complained.decode(errors='replace').strip()}")
    return said
