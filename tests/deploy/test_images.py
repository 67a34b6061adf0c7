"""The images, where there is a Docker Engine with the base image: what they carry, and as whom they run."""

import shutil
import subprocess

import pytest

from deploy.local.children import ROOT
from libs.contracts.subjects import MAY_CALL

BASE = "python:3.11-slim"
OURS = [name.replace("_", "-") for name in MAY_CALL]


def docker(*words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], cwd=ROOT, capture_output=True, text=True, timeout=seconds)


def there_is(*words: str) -> bool:
    return shutil.which("docker") is not None and docker(*words).returncode == 0


@pytest.mark.skipif(not there_is("compose", "version"), reason="no Docker Compose")
def test_compose_takes_the_file_of_a_fresh_clone():
    checked = docker("compose", "config", "--quiet")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not there_is("image", "inspect", BASE), reason=f"no Docker Engine with {BASE}")
@pytest.mark.parametrize("service", OURS)
def test_an_image_carries_one_service_and_runs_as_nobody_in_particular(service):
    image = f"polyvox/{service}:test"
    built = docker("build", "--build-arg", f"SERVICE={service}", "-t", image, ".", seconds=600)
    assert built.returncode == 0, built.stderr
    own = service.replace("-", "_")
    assert docker("run", "--rm", "--entrypoint", "id", image, "-u").stdout.strip() == "10001"
    assert set(docker("run", "--rm", "--entrypoint", "ls", image, "services").stdout.split()) - {"__pycache__"} == {
        "__init__.py",
        own,
    }
    bare = docker("run", "--rm", image)
    assert bare.returncode == 2
    assert "POSTGRES_DSN is missing" in bare.stderr
