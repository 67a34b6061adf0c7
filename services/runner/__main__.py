"""The runner: what runs? What it hears, and its nouns, each of which is wired in a module of its own."""

from libs.runtime.service import Service, run
from services.runner.settings import Settings
from services.runner.wiring import apps, automations, finetunes, hearing, models, runs, sessions, tools, trials
from services.runner.wiring.core import assemble


async def build(service: Service, settings: Settings) -> None:
    core = await assemble(service, settings)
    hearing.wire(core)
    apps.wire(core)
    models.wire(core)
    tools.wire(core)
    sessions.wire(core)
    trials.wire(core)
    finetunes.wire(core)
    automations.wire(core)
    # Last, so that runs are the first to end.
    runs.wire(core)


if __name__ == "__main__":
    run("runner", Settings, build)
