"""Server-sent events as model providers send them: bytes in as they arrive, the payload of each `data` field out.

Follows the event stream format (WHATWG HTML, 9.2.6) but for one leniency: what stands in the buffer when the stream
ends counts as an event, since some providers leave the last blank line out.
"""

_BOM = b"\xef\xbb\xbf"


class EventStream:
    """Feed it chunks cut anywhere; `event`, `id` and `retry` fields and comments are dropped."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads completed by this chunk."""
        if not self._held and chunk.endswith(b"\n\n") and b"\r" not in chunk and not chunk.startswith(_BOM):
            self._started = True
            return _payloads(chunk)
        self._held.append(chunk)
        if b"\n" not in chunk and b"\r" not in chunk:
            return []
        return self._complete()

    def close(self) -> list[bytes]:
        """The payload of an event that the stream ended in."""
        rest, self._held = _unified(self._begun(b"".join(self._held))), []
        return _payloads(rest)

    def _complete(self) -> list[bytes]:
        """Cuts the buffer after its last whole event. A CR at the end is held: its LF may be on the way."""
        raw = self._begun(b"".join(self._held))
        held_back = raw.endswith(b"\r")
        text = _unified(raw[:-1] if held_back else raw)
        end = text.rfind(b"\n\n")
        rest = text[end + 2 :] if end >= 0 else text
        self._held = [part for part in (rest, b"\r" * held_back) if part]
        return _payloads(text[:end]) if end >= 0 else []

    def _begun(self, raw: bytes) -> bytes:
        """The stream without its byte order mark, once enough of it is there to tell."""
        if not self._started and len(raw) >= len(_BOM):
            self._started = True
            return raw.removeprefix(_BOM)
        return raw


def _unified(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _payloads(events: bytes) -> list[bytes]:
    if events.startswith(b"data: "):
        # As most providers send them: each one line of data, and no line break but those between them.
        payloads = events[6:].removesuffix(b"\n\n").split(b"\n\ndata: ")
        if b"\n" not in b"".join(payloads):
            return payloads
    return [payload for event in events.split(b"\n\n") if (payload := _payload(event)) is not None]


def _payload(event: bytes) -> bytes | None:
    """The `data` lines of one event, joined; None where it has none."""
    lines = [value for line in event.split(b"\n") if (value := _value(line)) is not None]
    return b"\n".join(lines) if lines else None


def _value(line: bytes) -> bytes | None:
    field, colon, value = line.partition(b":")
    if field != b"data":
        return None
    return value.removeprefix(b" ") if colon else b""
