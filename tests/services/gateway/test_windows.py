"""What is counted in which window, and of which address. Without a server."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from libs.contracts.limits import Kind
from services.gateway.limits import windows
from services.gateway.limits.addresses import Addresses


def test_addresses_of_one_ipv6_network_are_one():
    known = Addresses(2)
    assert [known.take(ip_address(text)).admitted for text in ("2001:db8::1", "2001:db8::2", "2001:db8::3")] == [
        True,
        True,
        False,
    ]
    assert known.take(ip_address("2001:db8:0:1::1")).remaining == 1
    assert known.take(ip_address("192.0.2.1")).remaining == 1
    assert known.take(None).remaining == 1


@pytest.mark.parametrize(
    ("kind", "now", "begins", "ends"),
    [
        (Kind.REQUESTS, "2026-03-11T11:30:59.9", "2026-03-11T11:30:00", "2026-03-11T11:31:00"),
        (Kind.CHAT_MESSAGES, "2026-03-11T23:59:59", "2026-03-11T00:00:00", "2026-03-12T00:00:00"),
        (Kind.API_CALLS, "2026-02-28T23:59:59", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        (Kind.API_CALLS, "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        (Kind.API_CALLS, "2026-01-01T00:00:00", "2026-01-01T00:00:00", "2026-02-01T00:00:00"),
    ],
)
def test_windows_are_the_minutes_days_and_months_of_utc(kind, now, begins, ends):
    def seconds(text: str) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    assert windows.window(kind, seconds(now)) == (seconds(begins), seconds(ends))
    assert windows.ends(kind, int(seconds(begins))) == seconds(ends)
