"""The servers that the services stand on: NATS and PostgreSQL of this machine, each with its folder of the data.

Owner: deploy.local. Every service logs in as itself and may do what its user may, as on many machines.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.local import daemons, nats, ports, postgres, supervision
from deploy.local.children import ROOT
from deploy.local.credentials import Secrets
from deploy.local.trouble import Trouble

T = TypeVar("T")

OPERATOR = "operator"


class Servers:
    """Started and stopped by the main thread, whose children they are."""

    def __init__(self, data: Path, secrets: Secrets, say: Callable[[str, float], None]) -> None:
        self._data, self._secrets, self._say = data, secrets, say
        self._nats: nats.Nats | None = None
        self._postgres: postgres.Postgres | None = None

    @property
    def nats_url(self) -> str:
        assert self._nats is not None, "NATS was not started"
        return self._nats.url

    @property
    def nats_operator_url(self) -> str:
        return _as_user(self.nats_url, OPERATOR, self._secrets.nats_operator)

    @property
    def postgres_url(self) -> str:
        """The administrator's."""
        assert self._postgres is not None, "PostgreSQL was not started"
        return self._postgres.url

    def dsn(self, service: str) -> str:
        return _as_user(self.postgres_url, service, self._secrets.postgres[service])

    async def start(self) -> None:
        """Raises Trouble with the end of the server's log."""
        began = time.monotonic()
        self._nats = _started(self._start_nats)
        self._say("NATS", began)
        began = time.monotonic()
        self._postgres = _started(self._start_postgres)
        await self._make_roles()
        self._say("PostgreSQL", began)

    def stop(self) -> None:
        if self._nats is not None:
            self._nats.stop()
        if self._postgres is not None:
            self._postgres.stop()

    async def until_one_ends(self) -> None:
        """Raises Trouble then: nothing works without them."""
        assert self._nats is not None
        assert self._postgres is not None
        await asyncio.gather(
            supervision.until_ended("NATS", self._nats.process, self._data / "nats" / "nats.log"),
            supervision.until_ended("PostgreSQL", self._postgres.process, self._data / "postgres" / "postgres.log"),
        )

    async def _make_roles(self) -> None:
        try:
            await postgres.make_roles(self.postgres_url, self._secrets.postgres)
        except asyncpg.InvalidPasswordError:
            raise Trouble(f"{self._data} was not made with its secrets.json: restore the one that it had.") from None

    def _start_nats(self) -> nats.Nats:
        folder = (self._data / "nats").resolve()
        users = os.path.relpath(ROOT / "deploy" / "nats-users.conf", folder)
        with _environment(self._nats_passwords()):
            return nats.start(folder, more=f'include "{users}"')

    def _start_postgres(self) -> postgres.Postgres:
        return postgres.start(self._data / "postgres", port=ports.free(1)[0], password=self._secrets.postgres_admin)

    def _nats_passwords(self) -> dict[str, str]:
        """The variables that deploy/nats-users.conf reads."""
        passwords = self._secrets.nats | {OPERATOR: self._secrets.nats_operator}
        return {f"NATS_{user.upper()}_PASSWORD": password for user, password in passwords.items()}


def _as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}"))


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """For what is started within, and for nobody after."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def _started(start: Callable[[], T]) -> T:
    try:
        return start()
    except daemons.StartError as error:
        raise Trouble(str(error)) from None
