"""Trials: what tells which of several actions is better. Experiments, datasets and evals."""

from libs.contracts import datasets, evals, experiments
from services.runner.datasets import Datasets
from services.runner.evals.checks import Checks
from services.runner.evals.registry import Evals
from services.runner.evals.steps import Steps
from services.runner.evals.working import Working
from services.runner.experiments import Experiments
from services.runner.prompting.patterns import Patterns
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    _wire_experiments(core)
    _wire_datasets(core)
    _wire_evals(core)


def _wire_experiments(core: Core) -> None:
    service, experiment = core.service, Experiments(core.service.database, core.catalog)
    service.serve(experiments.CREATE, experiment.create)
    service.serve(experiments.GET, experiment.get)
    service.serve(experiments.PAGE, experiment.page)
    service.serve(experiments.UPDATE, experiment.update)
    service.serve(experiments.DELETE, experiment.delete)
    service.serve(experiments.RESULTS, experiment.results)


def _wire_datasets(core: Core) -> None:
    service, dataset = core.service, Datasets(core.service.database)
    service.serve(datasets.CREATE, dataset.create)
    service.serve(datasets.GET, dataset.get)
    service.serve(datasets.PAGE, dataset.page)
    service.serve(datasets.UPDATE, dataset.update)
    service.serve(datasets.DELETE, dataset.delete)
    service.serve(datasets.EXPORT, dataset.export)


def _wire_evals(core: Core) -> None:
    service, database, patterns = core.service, core.service.database, Patterns()
    checks = Checks(service.bus, core.schemas, patterns)
    evaluation = Evals(database, core.catalog, checks)
    trying = Working(database, core.lease, Steps(database, service.bus, checks))
    service.serve(evals.CREATE, evaluation.create)
    service.serve(evals.GET, evaluation.get)
    service.serve(evals.PAGE, evaluation.page)
    service.serve(evals.UPDATE, evaluation.update)
    service.serve(evals.DELETE, evaluation.delete)
    service.serve(evals.START, evaluation.start)
    service.serve(evals.TRIAL, evaluation.trial)
    service.serve(evals.TRIALS, evaluation.trials)
    service.serve(evals.ROWS, evaluation.rows)
    service.background("trials", trying.shift.run)
    service.on_stop(patterns.close)
    service.on_stop(trying.shift.stop)
