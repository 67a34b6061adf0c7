"""`make bench`: the engine beside the bare chains, in one run, on one machine. Prints a table and writes JSON.

The engine, NATS and Postgres share the first core; the upstream and the load generator have the second.
"""

import argparse
import json
import os
import platform
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from bench import dead, measure, rigs, rows, voices, webhooks
from bench.machine import Tree

BLOCKING, PACED, SLOW, SATURATED = "bench-16-0", "bench-600-100", "bench-60-10", "bench-4000-0"
RESULTS = Path(__file__).with_name("results.json")


async def over(rig: rigs.Rig, upstream: Tree, *, quick: bool) -> dict[str, measure.Figures]:
    repeats = 1 if quick else measure.REPEATS
    print(f"  {rig.name}: warming up", flush=True)
    await measure.throughput(rig, BLOCKING, upstream)
    print(f"  {rig.name}: blocking", flush=True)
    found = {"idle_pss_mb": rig.tree.pss_mb()}
    found["blocking"] = await measure.medians(lambda: measure.throughput(rig, BLOCKING, upstream), repeats)
    found["alone"] = await measure.medians(lambda: measure.alone(rig, BLOCKING, upstream), repeats)
    for name, model, streams in (("20x100", PACED, 20), ("200x10", SLOW, 200), ("saturated", SATURATED, 20)):
        print(f"  {rig.name}: streaming {name}", flush=True)
        found[name] = await measure.medians(
            lambda model=model, streams=streams: measure.streaming(rig, model, upstream, streams=streams), repeats
        )
    return found


async def run(*, quick: bool) -> dict[str, object]:
    os.sched_setaffinity(0, {rigs.LOAD_CORE})
    port = rigs.free_port()
    found: dict[str, dict[str, measure.Figures]] = {}
    spoken: dict[str, measure.Figures] = {}
    async with rigs.process(rigs.LOAD_CORE, "bench.upstream", str(port), port=port) as upstream:
        url, tree = f"http://127.0.0.1:{port}", Tree(upstream.pid)
        found["direct"] = await over(rigs.Rig("direct", url, tree), tree, quick=quick)
        models = [BLOCKING, PACED, SLOW, SATURATED, voices.MODEL]
        for rig in (rigs.proxy(url), rigs.chain(url), rigs.engine(url, models=models, sessions=4000)):
            async with AsyncExitStack() as stack:
                built = await stack.enter_async_context(rig)
                found[built.name] = await over(built, tree, quick=quick)
                if built.name == "engine":
                    spoken = await voices.first_tokens(built, tree, quick=quick)
    os.sched_setaffinity(0, {rigs.ENGINE_CORE, rigs.LOAD_CORE})
    delivered = await webhooks.run(quick=quick)
    beside = await dead.run(quick=quick)
    return {
        "machine": {"cores": os.cpu_count(), "cpu": platform.processor() or platform.machine()},
        "rigs": found,
        "voices": spoken,
        "webhooks": delivered,
        "dead endpoints": beside,
        "rows": await rows.committed_per_second(),
    }


async def run_voices(*, quick: bool) -> dict[str, measure.Figures]:
    """The engine alone, through each of its voices."""
    os.sched_setaffinity(0, {rigs.LOAD_CORE})
    port = rigs.free_port()
    async with rigs.process(rigs.LOAD_CORE, "bench.upstream", str(port), port=port) as upstream:
        url, models = f"http://127.0.0.1:{port}", [BLOCKING, voices.MODEL]
        async with rigs.engine(url, models=models, sessions=0) as engine:
            return await voices.first_tokens(engine, Tree(upstream.pid), quick=quick)


def table(found: dict[str, dict[str, measure.Figures]]) -> None:
    names = list(found)
    print(f"\n{'':44}" + "".join(f"{name:>12}" for name in names) + f"{'engine/chain':>14}")
    for section in ("blocking", "alone", "20x100", "200x10", "saturated"):
        for figure in found["chain"][section]:
            if figure.startswith("cpu_share"):
                continue
            values = [found[name][section][figure] for name in names]
            ratio = values[names.index("engine")] / values[names.index("chain")] if values[2] else float("nan")
            print(f"{section + ' ' + figure:44}" + "".join(f"{value:12.2f}" for value in values) + f"{ratio:14.2f}")
    print("\nengine, CPU share of a core while blocking, and PSS in MB after warming up:")
    for name, size in found["engine"]["idle_pss_mb"].items():
        print(f"  {name:24}{found['engine']['blocking'].get(f'cpu_share {name}', 0.0):8.2f}{size:10.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition instead of three")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes (default: bench/results.json)")
    parser.add_argument("--voices", action="store_true", help="the first token through each voice, and nothing else")
    parser.add_argument("--webhooks", action="store_true", help="webhooks, and nothing else")
    parser.add_argument("--dead", action="store_true", help="webhooks beside dead endpoints, and nothing else")
    options = parser.parse_args()
    if options.voices:
        voices.table(_alone(options.out, "voices", run_voices(quick=options.quick)))
    elif options.webhooks:
        webhooks.table("webhooks", _alone(options.out, "webhooks", webhooks.run(quick=options.quick)))
    elif options.dead:
        webhooks.table("dead endpoints", _alone(options.out, "dead endpoints", dead.run(quick=options.quick)))
    else:
        _everything(options.out, quick=options.quick)


def _alone(
    out: Path, section: str, measured: Coroutine[Any, Any, dict[str, measure.Figures]]
) -> dict[str, measure.Figures]:
    """Written beside what was measured before."""
    kept = json.loads(out.read_text()) if out.exists() else {}
    found = uvloop.run(measured)
    out.write_text(json.dumps(kept | {section: found}, indent=1) + "\n")
    return found


def _everything(out: Path, *, quick: bool) -> None:
    results = uvloop.run(run(quick=quick))
    out.write_text(json.dumps(results, indent=1) + "\n")
    table(results["rigs"])  # pyright: ignore[reportArgumentType]
    voices.table(results["voices"])  # pyright: ignore[reportArgumentType]
    for section in ("webhooks", "dead endpoints"):
        webhooks.table(section, results[section])  # pyright: ignore[reportArgumentType]
    print(f"\nrun + outbox rows committed per second, 32 writers: {results['rows']:.0f}\nwritten to {out}")


if __name__ == "__main__":
    main()
