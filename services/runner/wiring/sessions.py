"""Sessions."""

from libs.contracts import sessions
from services.runner.sessions import Sessions
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    service, session = core.service, Sessions(core.service.database, core.catalog)
    service.serve(sessions.CREATE, session.create)
    service.serve(sessions.GET, session.get)
    service.serve(sessions.CONTINUE, session.go_on)
    service.serve(sessions.PAGE, session.page)
    service.serve(sessions.DELETE, session.delete)
