"""Bodies: whatever bytes arrive, a Struct of sound values or a Fault that names the field."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.gateway.http import body


class Note(Struct):
    text: str


class Sent(Struct, kw_only=True):
    input: str | dict[str, Any]
    notes: list[Note] = []
    size: int = 0
    extra: Any = None


class Strict(Struct, forbid_unknown_fields=True):
    url: str = ""


def fault_of(raw: bytes, type: type = Sent) -> Fault:
    with pytest.raises(Fault) as raised:
        body.decode(raw, type)
    return raised.value


def test_a_sound_body_is_decoded():
    assert body.decode(b'{"input": {"a": [1, 2.5, null, "\\u00e9"]}, "unknown": 1}', Sent).input == {
        "a": [1, 2.5, None, "é"]
    }


def test_of_a_key_given_twice_the_last_counts():
    assert body.decode(b'{"input": "first", "input": "last"}', Sent).input == "last"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"input": 5}', "input"),
        (b"{}", "input"),
        (b'{"input": "", "notes": [{"text": "a"}, {}]}', "notes[1].text"),
        (b'{"input": "", "notes": [{"text": 1}]}', "notes[0].text"),
        (b'{"input": "", "size": "5"}', "size"),
        (b'{"input": {"a": 1e999}}', "input"),
        (b'{"input": {"a": "x\\u0000y"}}', "input.a"),
        (b'{"input": {"a\\u0000": 1}}', "input"),
        (b'{"input": "", "notes": [{"text": "\\u0000"}]}', "notes[0].text"),
        (b'{"input": {"a": [1, 18446744073709551616]}}', "input.a[1]"),
        (b'{"input": "", "size": -9223372036854775809}', "size"),
        (b'{"input": {"a": 9' + b"9" * 5000 + b"}}", "input"),
    ],
)
def test_what_does_not_fit_is_invalid_and_named(raw, field):
    fault = fault_of(raw)
    assert (fault.code, fault.field) == (Code.INVALID, field)


def test_a_field_that_a_strict_request_does_not_have_is_named():
    fault = fault_of(b'{"uri": "https://a.test"}', Strict)
    assert (fault.code, fault.field) == (Code.INVALID, "uri")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"input": NaN}', b'{"input": "a\x00"}', b'{"input": "\xff"}', b'{"input": ""} {}']
)
def test_what_is_no_json_is_malformed(raw):
    assert fault_of(raw).code is Code.MALFORMED


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"input": "\\ud800"}', "input"),
        (b'{"input": {"a": ["ok", "\\uDC00 x"]}}', "input.a[1]"),
        (b'{"input": {"\\ud800": 1}}', "input"),
    ],
)
def test_half_a_surrogate_pair_is_malformed_and_named(raw, field):
    fault = fault_of(raw)
    assert (fault.code, fault.field) == (Code.MALFORMED, field)


@pytest.mark.parametrize("place", ['{"input": %s}', '{"unknown": %s}', '{"input": "", "extra": %s}', "%s"])
@pytest.mark.parametrize("levels", [70, 900, 100_000])
def test_a_deep_body_is_refused_whatever_holds_it(place, levels):
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = opening * levels + "1" + closing * levels
        if place.startswith('{"unknown') and levels < 1000:
            continue  # what nobody keeps may be as deep as the decoder bears
        assert fault_of((place % inner).encode()).code in (Code.MALFORMED, Code.INVALID)


def test_a_body_of_too_many_values_is_refused():
    assert fault_of(b'{"input": "", "extra": [' + b"0," * 600_000 + b"0]}").code is Code.TOO_LARGE


@pytest.mark.parametrize("value", [b"1", b"[]", b"{}", b'""', b'{"a":1}', rb'"\\"'])
def test_a_crowded_body_is_refused_before_it_is_decoded(value):
    """It breaks off, which nobody is told who did not decode it."""
    assert fault_of(b'{"input": {"a": [' + (value + b",") * 1_100_000).code is Code.TOO_LARGE


@pytest.mark.parametrize("text", ["[a, {b}, c, ", '["a", ', "\\", '\\"'])
def test_a_long_text_may_hold_whatever_stands_between_values(text):
    given = {"input": text * 500_000, "extra": [[]] * 100_000}
    assert body.decode(msgspec.json.encode(given), Sent).input == given["input"]


def test_a_text_of_five_megabytes_is_fine():
    text = "x" * (5 << 20)
    assert body.decode(msgspec.json.encode({"input": text}), Sent).input == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_fault(raw):
    try:
        body.decode(raw, Sent)
    except Fault as raised:
        fault = raised
    else:
        return
    assert fault.code in (Code.MALFORMED, Code.INVALID)


@given(JSON, JSON)
def test_what_passes_can_be_sent_on_and_stored(input, extra):
    try:
        raw = msgspec.json.encode({"input": input, "extra": extra})
    except UnicodeEncodeError:
        return
    try:
        decoded = body.decode(raw, Sent)
    except Fault as raised:
        assert raised.field is not None  # noqa: PT017
        return
    assert b"\\u0000" not in msgspec.json.encode(decoded)
    msgspec.msgpack.encode(decoded)
