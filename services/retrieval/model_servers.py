"""Servers of models that the operator named: of embeddings, and for reranking.

Their addresses are the operator's own, so they may be inside the network.
"""

import aiohttp

from libs.egress import Egress


def session(egress: Egress, key: str, *, seconds: float) -> aiohttp.ClientSession:
    """One question may take so long."""
    return aiohttp.ClientSession(
        connector=egress.connector(guarded=False),
        headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=10),
        trust_env=False,
    )


async def whole(answer: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body; None where it is over so many bytes."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)
