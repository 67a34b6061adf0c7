"""OpenAI: actions and providers' models under the addresses that every OpenAI client asks.

The rule: all of it is under /openai; at the root, `/v1` is another voice's.
"""

from services.gateway.dialects.openai import auth, errors
from services.gateway.dialects.openai.routes import ROUTES
from services.gateway.http.voices import Voice

VOICE = Voice("openai", "/openai", (), auth.caller, errors.render, ROUTES, cors=True, at_root=False)
