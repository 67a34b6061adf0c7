"""Environment: what each service is told on one machine.

Owner: deploy.local. Users' URLs may reach this machine here, also over plain http; nowhere else is that the default.
"""

import os

from deploy.local.credentials import Secrets
from deploy.local.model import SLOTS, WINDOW, name_of
from deploy.local.options import Options
from deploy.local.servers import Servers

LOOPBACK = "127.0.0.0/8,::1/128"


def of(service: str, options: Options, secrets: Secrets, servers: Servers, *, private_port: int) -> dict[str, str]:
    """What the launcher's own environment holds goes along; what is said here wins."""
    common = {
        "NATS_URL": servers.nats_url,
        "NATS_USER": service,
        "NATS_PASSWORD": secrets.nats[service],
        "POSTGRES_DSN": servers.dsn(service),
        "BLOBS_URL": (options.data / "blobs").as_uri(),
        "PRIVATE_HOST": "127.0.0.1",
        "PRIVATE_PORT": str(private_port),
        "MASTER_KEYS": secrets.master_keys,
        "EGRESS_ALLOW_CIDRS": os.environ.get("EGRESS_ALLOW_CIDRS", LOOPBACK),
    }
    return dict(os.environ) | common | _own(service, options)


def default_model(options: Options, url: str) -> dict[str, str]:
    """For the runner. DEFAULT_MODEL_KEY and DEFAULT_MODEL_CONTEXT may come from the launcher's own environment."""
    window = os.environ.get("DEFAULT_MODEL_CONTEXT", str(WINDOW // SLOTS))
    name = options.model_name or name_of(options.model_file)
    return {"DEFAULT_MODEL_URL": url, "DEFAULT_MODEL_NAME": name, "DEFAULT_MODEL_CONTEXT": window}


def _own(service: str, options: Options) -> dict[str, str]:
    match service:
        case "gateway":
            return {"PORTS": ",".join(map(str, options.ports))}
        case "retrieval":
            return {"VECTORS_URL": (options.data / "vectors").as_uri()}
        case _:
            return {}
