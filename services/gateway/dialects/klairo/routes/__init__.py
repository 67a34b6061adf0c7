"""KlairoAI's routes, one module per noun.

Its page names two roots, `/api/<resource>` and `/v1/<resource>`: both answer.
"""

from services.gateway.dialects.klairo.routes import (
    analytics,
    auth,
    automations,
    chat,
    contacts,
    keys,
    notifications,
    users,
    webhooks,
)
from services.gateway.http.voices import listed

ROUTES = listed(
    users.routes,
    keys.routes,
    chat.routes,
    contacts.routes,
    automations.routes,
    notifications.routes,
    webhooks.routes,
    analytics.routes,
)
OPEN_ROUTES = listed(auth.open_routes)
