"""Models, and who provides them."""

from libs.contracts import models
from services.runner.models import Models
from services.runner.vendors import Vendors
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    _serve_models(core, models_of(core))
    _serve_providers(core, _vendors_of(core))


def models_of(core: Core) -> Models:
    return Models(core.service.database, core.catalog, _vendors_of(core))


def _vendors_of(core: Core) -> Vendors:
    return Vendors(core.service.database, core.catalog, core.service.egress, core.keys)


def _serve_models(core: Core, model: Models) -> None:
    service = core.service
    service.serve(models.CREATE, model.create)
    service.serve(models.GET, model.get)
    service.serve(models.FIND, model.find)
    service.serve(models.PAGE, model.page)
    service.serve(models.UPDATE, model.update)
    service.serve(models.DELETE, model.delete)


def _serve_providers(core: Core, vendors: Vendors) -> None:
    service = core.service
    service.serve(models.CREATE_PROVIDER, vendors.create)
    service.serve(models.PAGE_PROVIDERS, vendors.page)
    service.serve(models.UPDATE_PROVIDER, vendors.update)
    service.serve(models.DELETE_PROVIDER, vendors.delete)
    service.serve(models.VALIDATE, vendors.validate)
