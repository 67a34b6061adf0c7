"""Tools."""

from libs.contracts import tools
from services.runner.tools.registry import Tools
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    service, tool = core.service, Tools(core.service, core.catalog, core.keys, core.schemas)
    service.serve(tools.CREATE, tool.create)
    service.serve(tools.GET, tool.get)
    service.serve(tools.PAGE, tool.page)
    service.serve(tools.UPDATE, tool.update)
    service.serve(tools.DELETE, tool.delete)
    service.serve(tools.DISCOVER, tool.discover)
