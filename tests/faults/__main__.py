"""`python -m tests.faults --runs 100 --seed 1`: trial after trial, a line for each, and what they found."""

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from tests.faults import script
from tests.faults.cluster import cluster
from tests.faults.trial import TARGETS, Options, Scenario, Verdict, trial
from tests.support.provider import provider
from tests.support.receiver import receiver

_DEFAULTS = Options()
_HEADER = " seed  outcome  operations  broken  refused  resumed  delivered again  seconds  blows"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how many seeds, one after the other (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the first of them (%(default)s)")
    parser.add_argument(
        "--operations", type=int, default=_DEFAULTS.operations, help="calls of the client (%(default)s)"
    )
    parser.add_argument("--blows", type=int, default=_DEFAULTS.blows, help="faults in each run (%(default)s)")
    parser.add_argument("--seconds", type=float, default=_DEFAULTS.seconds, help="of load in each (%(default)s)")
    parser.add_argument("--patience", type=float, default=_DEFAULTS.patience, help="of a call, in s (%(default)s)")
    parser.add_argument(
        "--scenario", type=Scenario, choices=list(Scenario), default=_DEFAULTS.scenario, help="(%(default)s)"
    )
    parser.add_argument("--targets", default=",".join(TARGETS), help="what is struck (%(default)s)")
    return parser.parse_args()


async def trials(seeds: range, options: Options) -> AsyncGenerator[Verdict]:
    """All of them on one cluster; a fresh one after a failure, so that it hides no other."""
    seeds_left = list(seeds)
    while seeds_left:
        async with AsyncExitStack() as stack:
            upstream = await stack.enter_async_context(provider())
            upstream.script = script.answer
            hooks = await stack.enter_async_context(receiver())
            running = await stack.enter_async_context(cluster(upstream.openai_url))
            while seeds_left:
                verdict = await trial(seeds_left.pop(0), running, hooks, options)
                yield verdict
                if verdict.wrong:
                    break


async def main() -> int:
    given = _arguments()
    targets = tuple(given.targets.split(","))
    if unknown := set(targets) - set(TARGETS):
        print(f"There is no {', '.join(sorted(unknown))} to strike: choose of {', '.join(TARGETS)}.")
        return 2
    load = {name: getattr(given, name) for name in ("operations", "blows", "seconds", "patience")}
    options = Options(scenario=given.scenario, targets=targets, **load)
    print(_HEADER, flush=True)
    failed = []
    async for verdict in trials(range(given.seed, given.seed + given.runs), options):
        print(line(verdict), flush=True)
        failed += [verdict.seed] if verdict.wrong else []
    print(f"{given.runs - len(failed)} of {given.runs} runs held" + (f"; these did not: {failed}" if failed else ""))
    return 1 if failed else 0


def line(verdict: Verdict) -> str:
    outcome = "WRONG" if verdict.wrong else "held"
    told = f"{verdict.seed:5}  {outcome:7}  {verdict.operations:10}  {verdict.broken:6}  {verdict.refused:7}"
    told += f"  {verdict.resumed:7}  {verdict.again:15}  {verdict.took:7.1f}  {'; '.join(verdict.blows)}"
    more = [*verdict.wrong[:12], f"logs, blows and ledger: {verdict.kept}"] if verdict.wrong else []
    return "\n".join([told, *(f"       {each}" for each in more)])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
