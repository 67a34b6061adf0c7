"""What is there for every workspace, under ids that never change: the installation's model, as its settings name it,
and the built-in tools.
"""

from uuid import UUID

from libs.postgres.changes import changed
from libs.postgres.database import Database
from services.runner.catalog import DEFAULT, INSTALLATION, MODEL, TOOL
from services.runner.keys import Keys, masked
from services.runner.providers.call import INSTALLED
from services.runner.settings import Settings
from services.runner.store import models, providers, tools
from services.runner.store.providers import Stored
from services.runner.tools.builtin import kit

PROVIDER_ID = UUID("00000000-0000-7000-8000-000000000001")
MODEL_ID = UUID("00000000-0000-7000-8000-000000000002")


async def put_default_model(database: Database, keys: Keys, settings: Settings) -> None:
    """Without an address in the settings, nothing changes."""
    if not settings.default_model_url or not settings.default_model_name:
        return
    provider = Stored(
        PROVIDER_ID,
        None,
        INSTALLED,
        settings.default_model_kind,
        settings.default_model_url.rstrip("/"),
        keys.seal(PROVIDER_ID, settings.default_model_key),
        masked(settings.default_model_key),
        True,
    )
    async with database.transaction() as connection:
        await providers.put(connection, provider)
        await models.put_of_installation(
            connection, MODEL_ID, PROVIDER_ID, settings.default_model_name, settings.default_model_context
        )
        await changed(connection, MODEL, str(MODEL_ID))
        await changed(connection, DEFAULT, INSTALLATION)


async def put_built_in_tools(database: Database) -> None:
    async with database.transaction() as connection:
        for tool in kit.installed():
            await tools.put(connection, tool, None)
            await changed(connection, TOOL, str(tool.id))
