"""Fine-tunes: what makes a new model of one and a dataset."""

from libs.contracts import finetunes
from services.runner.finetunes.registry import Finetunes
from services.runner.finetunes.working import Endpoints, Working
from services.runner.wiring.core import Core
from services.runner.wiring.models import models_of


def wire(core: Core) -> None:
    service, database, seconds = core.service, core.service.database, core.settings.finetune_seconds
    endpoints = Endpoints(database, service.egress, core.keys)
    finetune = Finetunes(database, endpoints)
    training = Working(database, core.lease, endpoints, models_of(core), seconds=seconds)
    service.serve(finetunes.CREATE, finetune.create)
    service.serve(finetunes.GET, finetune.get)
    service.serve(finetunes.PAGE, finetune.page)
    service.serve(finetunes.UPDATE, finetune.update)
    service.serve(finetunes.DELETE, finetune.delete)
    service.serve(finetunes.PROCESS, finetune.process)
    service.background("fine-tunes", training.shift.run)
    service.on_stop(training.shift.stop)
