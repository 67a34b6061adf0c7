"""KlairoAI's routes, one module per noun.

Its page names two roots, `/api/<resource>` and `/v1/<resource>`: both answer.
"""

from services.gateway.dialects.klairo.routes import contacts, webhooks
from services.gateway.http.voices import listed

ROUTES = listed(contacts.routes, webhooks.routes)
