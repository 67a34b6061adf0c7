"""How many attempts a process may have open."""

import resource
import subprocess
import sys

import pytest

_ASK = """
import resource
from services.webhook_dispatcher.sockets import allow
print(allow(2048), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "most", "raised"),
    [(256, 1024, 824, 1024), (256, 4096, 2048, 2248), (4096, 4096, 2048, 4096)],
    ids=["more than the system lets it", "more than it has", "as many as it has"],
)
def test_as_many_as_are_wanted_and_the_system_allows(soft, hard, most, raised):
    asked = subprocess.run(
        [sys.executable, "-c", _ASK],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        capture_output=True,
        check=True,
    )
    assert asked.stdout.split() == [str(most).encode(), str(raised).encode()]
