"""What a setting makes of a keeper of vectors, before anything is reached."""

import warnings

import pytest

from services.retrieval.vectors.opening import opened

pytestmark = pytest.mark.asyncio


async def test_a_key_over_plain_http_is_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = opened("http://127.0.0.1:6333", "a key")
    await vectors.close()
