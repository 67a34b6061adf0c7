"""Settings: typed from the environment, and one plain line for each variable that is wrong."""

import base64
from pathlib import Path
from typing import Literal

import pytest
from msgspec import Struct

from libs.runtime.settings import BadSettings, Common, load, read

GIVEN = {"POSTGRES_DSN": "postgresql://runner:hunter2@db/x", "BLOBS_URL": "file:///tmp/blobs"}
KEY = base64.b64encode(b"k" * 32).decode()


class Settings(Common, kw_only=True, frozen=True):
    run_slots: int = 200
    linger_seconds: float = 15.0
    streaming: bool = True
    provider_key: str = ""
    mode: Literal["fast", "exact"] = "fast"
    limit: int | None = None


def wrong(**environ: str) -> list[str]:
    with pytest.raises(BadSettings) as bad:
        read(Settings, {**GIVEN, **environ})
    return bad.value.lines


def test_what_is_not_given_has_its_default() -> None:
    settings = read(Settings, GIVEN)
    assert (settings.nats_url, settings.postgres_pool_size, settings.run_slots) == ("nats://127.0.0.1:4222", 8, 200)


def test_values_are_typed() -> None:
    environ = {"RUN_SLOTS": "7", "LINGER_SECONDS": "1.5", "STREAMING": "false", "MODE": "exact", "LIMIT": "3"}
    settings = read(Settings, {**GIVEN, **environ})
    assert (settings.run_slots, settings.linger_seconds, settings.streaming) == (7, 1.5, False)
    assert (settings.mode, settings.limit) == ("exact", 3)


def test_an_empty_variable_counts_as_not_given() -> None:
    assert read(Settings, {**GIVEN, "RUN_SLOTS": "", "MODE": "", "NATS_URL": ""}) == read(Settings, GIVEN)


def test_a_secret_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://runner:hunter3@db/x\n")
    settings = read(Settings, {"BLOBS_URL": "file:///tmp", "POSTGRES_DSN_FILE": str(secret)})
    assert settings.postgres_dsn == "postgresql://runner:hunter3@db/x"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("RUN_SLOTS", "many", "RUN_SLOTS is 'many': expected a whole number"),
        ("LINGER_SECONDS", "long", "LINGER_SECONDS is 'long': expected a number"),
        ("STREAMING", "perhaps", "STREAMING is 'perhaps': expected true or false"),
        ("MODE", "slow", "MODE is 'slow': expected fast or exact"),
        ("LIMIT", "x", "LIMIT is 'x': expected a whole number"),
        ("PRIVATE_PORT", "70000", "PRIVATE_PORT is '70000': expected a port from 0 (any free one) to 65535"),
        ("POSTGRES_POOL_SIZE", "0", "POSTGRES_POOL_SIZE is '0': expected a whole number from 1"),
        ("POSTGRES_DSN_FILE", "/no/such", "POSTGRES_DSN and POSTGRES_DSN_FILE are both set: keep one"),
        ("NATS_PASSWORD_FILE", "/no/such", "NATS_PASSWORD_FILE is '/no/such', which can't be read: No such file"),
        ("BLOBS_URL", "/tmp", "BLOBS_URL: '/tmp' is no place for files: expected file:///folder or s3://bucket/prefix"),
        ("MASTER_KEYS", KEY, "MASTER_KEYS: key 1 is not of the form kid:base64"),
        ("EGRESS_ALLOW_CIDRS", "10.0.0.1/8", "EGRESS_ALLOW_CIDRS: '10.0.0.1/8' is no range of addresses"),
    ],
)
def test_a_bad_variable_is_named_with_what_it_should_be(name: str, value: str, line: str) -> None:
    (said,) = wrong(**{name: value})
    assert said.startswith(line)


def test_every_bad_variable_has_its_line() -> None:
    with pytest.raises(BadSettings) as bad:
        read(Settings, {"RUN_SLOTS": "x"})
    assert [line.split()[0] for line in bad.value.lines] == ["POSTGRES_DSN", "BLOBS_URL", "RUN_SLOTS"]


def test_a_bad_secret_is_never_shown() -> None:
    class Strict(Struct):
        sealing_key: int
        api_token: Literal["a"]

    with pytest.raises(BadSettings) as bad:
        read(Strict, {"SEALING_KEY": "hunter2", "API_TOKEN": "hunter3"})
    assert bad.value.lines == [
        "SEALING_KEY is not valid: expected a whole number",
        "API_TOKEN is not valid: expected a",
    ]
    assert "hunter" not in "".join(wrong(MASTER_KEYS=f"a:{KEY},b:hunter2"))


def test_bad_settings_end_the_process_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        load(Settings, {**GIVEN, "RUN_SLOTS": "x"})
    assert end.value.code == 2
    assert capsys.readouterr().err == "RUN_SLOTS is 'x': expected a whole number\n"
