"""Apps, their actions, and the versions of these."""

from libs.contracts import actions, apps
from services.runner.actions import Actions
from services.runner.apps import Apps
from services.runner.versions import Deploying
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    service, database, catalog = core.service, core.service.database, core.catalog
    action = Actions(database, service.bus, catalog, core.prompting, schemas=core.schemas)
    app, deploying = Apps(database, catalog, action), Deploying(database, catalog, action)
    service.serve(apps.CREATE, app.create)
    service.serve(apps.GET, app.get)
    service.serve(apps.FIND, app.find)
    service.serve(apps.PAGE, app.page)
    service.serve(apps.UPDATE, app.update)
    service.serve(apps.DELETE, app.delete)
    service.serve(actions.CREATE, action.create)
    service.serve(actions.GET, action.get)
    service.serve(actions.FIND, action.find)
    service.serve(actions.PAGE, action.page)
    service.serve(actions.OF, action.of)
    service.serve(actions.UPDATE, action.update)
    service.serve(actions.DELETE, action.delete)
    service.serve(actions.VERSIONS, deploying.page)
    service.serve(actions.DEPLOY, deploying.deploy)
    service.serve(actions.DISABLE, deploying.disable)
