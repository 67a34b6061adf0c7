"""The core: what every noun of the runner stands on."""

from dataclasses import dataclass

from libs.postgres.leases import Lease
from libs.runtime.foundation import Service
from services.runner import metrics
from services.runner.catalog import Catalog
from services.runner.installation import put_built_in_tools, put_default_model
from services.runner.keys import Keys
from services.runner.prices import Prices
from services.runner.prompting.prompts import Prompting
from services.runner.prompting.rendering import Renderer
from services.runner.prompting.schemas import Schemas
from services.runner.settings import Settings
from services.runner.upkeep import Upkeep


@dataclass(frozen=True, kw_only=True)
class Core:
    """`lease` is that by which this instance holds runs, and steps of what runs in steps."""

    service: Service
    settings: Settings
    lease: Lease
    keys: Keys
    renderer: Renderer
    schemas: Schemas
    prompting: Prompting
    catalog: Catalog


async def assemble(service: Service, settings: Settings) -> Core:
    database, keys, renderer = service.database, Keys(lambda: service.sealer), Renderer()
    prompting = Prompting(renderer)
    core = Core(
        service=service,
        settings=settings,
        lease=Lease(database, service.instance, service.instance),
        keys=keys,
        renderer=renderer,
        schemas=Schemas(),
        prompting=prompting,
        catalog=Catalog(database, service.changes, prompting, keys, prices=Prices.of(settings.prices)),
    )
    upkeep = Upkeep(database)
    await upkeep.once()
    await put_default_model(database, keys, settings)
    await put_built_in_tools(database)
    await core.lease.renew()
    service.background("lease", core.lease.run)
    service.background("upkeep", upkeep.run)
    # An instance lives while it has runs: its lease is the last to end.
    service.on_stop(core.lease.release)
    service.on_stop(renderer.close)
    service.on_stop(core.schemas.close)
    service.observe(metrics.queue(database))
    return core
