"""What these tests say over the bus, and a NATS server that goes away and comes back."""

import signal
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from deploy.local import nats
from libs.contracts import ids
from libs.contracts.subjects import DECLARED, Event, Rpc
from tests.support.servers import free_port


class Echo(Struct, frozen=True):
    workspace_id: UUID
    text: str = ""


class Counted(Struct, frozen=True):
    workspace_id: UUID
    amount: int


ECHO = Rpc("rpc.runner.tests.echo", Echo, Echo)
RELAYED = Rpc("rpc.runner.tests.relayed", Echo, Echo)
READ = Rpc("rpc.runner.tests.get", Echo, Echo)
COUNTED = Event("event.runner.tests.counted", Counted)
DOUBLED = Event("event.runner.tests.doubled", Counted)

# They are no contracts, and the registry is checked to hold nothing else.
for _subject in (ECHO, RELAYED, READ, COUNTED, DOUBLED):
    del DECLARED[_subject.name]


def echo(text: str = "") -> Echo:
    return Echo(ids.new(), text)


class Restartable:
    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder / "nats", free_port()
        self._server = nats.start(self._folder, port=self._port)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    def stop(self) -> None:
        self._server.stop()

    def pause(self) -> None:
        self._server.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._server.process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        self._server = nats.start(self._folder, port=self._port)
