"""What keeps `python -m deploy.local` from starting is one line that says what to do."""

import fcntl
import os
import socket
import subprocess
import sys

import pytest

from deploy.local import options, ports
from deploy.local.children import ROOT


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("folder", [".", "new"])
def test_a_port_that_is_in_use_is_named_with_what_to_do_and_no_folder_is_left(tmp_path, folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = launched("--port", str(port), "--data", str(tmp_path / folder))
    assert ended.returncode == 1
    assert not (tmp_path / "new").exists()
    [line] = ended.stderr.strip().splitlines()
    assert f"Port {port} on 127.0.0.1" in line
    assert "--port" in line


def test_a_folder_that_another_instance_uses_is_named_with_what_to_do(tmp_path):
    with (tmp_path / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = launched("--port", str(ports.free(1)[0]), "--data", str(tmp_path))
    assert ended.returncode == 1
    [line] = ended.stderr.strip().splitlines()
    assert str(tmp_path) in line
    assert "--data" in line


@pytest.mark.parametrize("option", ["--data", "--ready-file"])
def test_a_place_that_cannot_be_used_is_named_with_the_option_that_changes_it(tmp_path, option):
    (tmp_path / "file").touch()
    given = {"--data": str(tmp_path / "data"), option: str(tmp_path / "file" / "inside" / "it")}
    ended = launched("--port", str(ports.free(1)[0]), *(word for pair in given.items() for word in pair))
    assert ended.returncode == 1
    [line] = ended.stderr.strip().splitlines()
    assert option in line


def test_data_whose_secrets_are_gone_is_not_opened_with_new_ones(tmp_path):
    (tmp_path / "postgres" / "cluster").mkdir(parents=True)
    ended = launched("--port", str(ports.free(1)[0]), "--data", str(tmp_path))
    assert ended.returncode == 1
    assert "secrets.json is gone" in ended.stderr


def test_a_missing_module_is_named_with_what_to_do(tmp_path):
    bare = subprocess.run(
        [sys.executable, "-S", "-m", "deploy.local"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )
    assert bare.returncode == 1
    [line] = bare.stderr.strip().splitlines()
    assert line.startswith("Missing in ")
    assert "make env" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "0"], "no port"),
        (["--port", "four"], "no port"),
        (["--model-url", "http://127.0.0.1:1/v1"], "go together"),
        (["--model-url", "ftp://x", "--model-name", "m"], "no http or https URL"),
        (["--model-file", "/nowhere.gguf"], "there is no file"),
        (["--model-file", __file__], "no GGUF file"),
        (["--workers", "gateway"], "SERVICE=COUNT"),
        (["--workers", "nobody=2"], "SERVICE=COUNT"),
        (["--workers", "runner=0"], "SERVICE=COUNT"),
        (["--workers", "retrieval=2"], "runs once here"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_with_the_reason(arguments, said, capsys):
    with pytest.raises(SystemExit):
        options.read(arguments)
    assert said in capsys.readouterr().err


def test_options_are_read_as_they_are_documented():
    given = options.read(["--port", "4001", "--port", "4002", "--workers", "gateway=2,webhook-dispatcher=3"])
    assert given.ports == (4001, 4002)
    assert given.workers == {"gateway": 2, "runner": 1, "retrieval": 1, "feedback": 1, "webhook_dispatcher": 3}
    assert options.read([]).ports == (4000,)
