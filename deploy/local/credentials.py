"""Credentials: what the person logs in with, and what the processes log in to each other with.

Owner: deploy.local. Made on the first start and the same ever after; only their owner can read the files.
"""

import os
import secrets
from base64 import b64encode
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from deploy.local.options import SERVICES
from deploy.local.trouble import Trouble

S = TypeVar("S", bound=Struct)


def _password() -> str:
    # A letter first: nats-server would read a password such as 12e4 as a number.
    return "p" + secrets.token_hex(20)


def _passwords() -> dict[str, str]:
    return {service: _password() for service in SERVICES}


def new_key() -> str:
    return "pv_" + secrets.token_urlsafe(32)


class Secrets(Struct):
    """`master_keys` seals what is kept encrypted in Postgres: without it, stored provider keys are lost."""

    postgres_admin: str = field(default_factory=_password)
    postgres: dict[str, str] = field(default_factory=_passwords)
    nats_operator: str = field(default_factory=_password)
    nats: dict[str, str] = field(default_factory=_passwords)
    master_keys: str = field(default_factory=lambda: f"local:{b64encode(secrets.token_bytes(32)).decode()}")


class Credentials(Struct):
    """The demo workspace as `credentials.json` shows it; the ids are empty until they are made."""

    email: str = "demo@polyvox.local"
    password: str = field(default_factory=_password)
    api_key: str = field(default_factory=new_key)
    workspace_id: str = ""
    app: str = ""
    action: str = ""
    plain_action: str = ""
    context: str = ""


def read_secrets(data: Path) -> Secrets:
    """Raises Trouble where there is data that the secrets of a new installation would not open."""
    file = data / "secrets.json"
    if not file.exists() and (data / "postgres" / "cluster").exists():
        raise Trouble(f"{file} is gone, and {data} can't be opened without it. Restore it, or choose another --data.")
    return _read_or_make(file, Secrets)


def read_credentials(data: Path) -> Credentials:
    return _read_or_make(data / "credentials.json", Credentials)


def keep(data: Path, credentials: Credentials) -> None:
    write_private(data / "credentials.json", credentials)


def write_private(file: Path, content: Struct) -> None:
    """Whole or not at all, and readable by its owner alone from the first moment."""
    making = file.with_name(f"{file.name}.{os.getpid()}")
    making.unlink(missing_ok=True)
    with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    making.replace(file)


def _read_or_make(file: Path, kind: type[S]) -> S:
    if not file.exists():
        write_private(file, made := kind())
        return made
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except msgspec.DecodeError as wrong:
        raise Trouble(f"{file} can't be read ({wrong}). Repair it, or choose another --data.") from None
