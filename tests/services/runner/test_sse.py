"""Streams of events, however they are written and wherever the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runner.providers.sse import EventStream


def read(stream: bytes, *cuts: int) -> list[bytes]:
    events, payloads, start = EventStream(), [], 0
    for end in [*sorted(cuts), len(stream)]:
        if end > start:
            payloads += events.feed(stream[start:end])
            start = end
    return payloads + events.close()


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b": a comment\n\ndata: a\n: another\n\n", [b"a"]),
        (b"event: message\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"event: ping\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"data: a\n\ndata: [DONE]", [b"a", b"[DONE]"]),
        (b'data: {"x": "\\n"}\n\n', [b'{"x": "\\n"}']),
        (b"dataset: a\n\n", []),
    ],
)
def test_the_data_of_each_event_comes_out(stream, payloads):
    assert read(stream) == payloads


@given(st.data())
def test_a_stream_reads_the_same_wherever_it_is_cut(data):
    line = st.text("ab: \u00e9", max_size=6).map(str.encode)
    field = st.sampled_from([b"data: ", b"data:", b"event: ", b":", b"id: "])
    event = st.lists(st.tuples(field, line), min_size=1, max_size=3)
    end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    events = data.draw(st.lists(event, max_size=5))
    stream = b"".join(b"".join(name + text + end for name, text in fields) + end for fields in events)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert read(stream, *cuts) == read(stream)


def test_a_large_event_in_many_chunks_is_put_together():
    payload = b"x" * 3_000_000
    stream = b"data: a\n\ndata: " + payload + b"\n\n"
    assert read(stream, *range(0, len(stream), 65536)) == [b"a", payload]
