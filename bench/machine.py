"""What the machine did while something was measured: CPU by process, what others took of it, memory as PSS."""

import itertools
import time
from pathlib import Path

import psutil
from msgspec import Struct


class Spent(Struct):
    """CPU seconds since the start of a measurement. `foreign` is the share of the whole machine that others took."""

    seconds: float
    by_process: dict[str, float]
    foreign: float

    @property
    def total(self) -> float:
        return sum(self.by_process.values())


def role(process: psutil.Process) -> str:
    """A name a reader knows: services by their module, servers by their program."""
    words = process.cmdline() or [process.name()]
    for before, word in itertools.pairwise(words):
        if before == "-m":
            return word.removeprefix("services.")
    name = Path(words[0].split(":")[0]).name
    return "postgres" if name.startswith("postgres") else name


class Tree:
    """The processes under some roots, as they were when it was made."""

    def __init__(self, *pids: int) -> None:
        roots = [psutil.Process(pid) for pid in pids]
        self.processes = [each for root in roots for each in (root, *root.children(recursive=True))]

    def cpu(self) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for process in self.processes:
            try:
                times, name = process.cpu_times(), role(process)
            except psutil.NoSuchProcess:
                continue
            seconds[name] = seconds.get(name, 0.0) + times.user + times.system
        return seconds

    def pss_mb(self) -> dict[str, float]:
        megabytes: dict[str, float] = {}
        for process in self.processes:
            try:
                text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                name = role(process)
            except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
                continue
            kilobytes = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
            megabytes[name] = megabytes.get(name, 0.0) + kilobytes / 1024
        return {name: round(size, 1) for name, size in megabytes.items()}


class Meter:
    """Measures from its making to `read`. `ours` are all processes that are not foreign, `watched` those to report."""

    def __init__(self, watched: Tree, ours: Tree) -> None:
        self.watched, self.ours = watched, ours
        self.began = time.monotonic()
        self.watched_before, self.ours_before, self.busy_before = watched.cpu(), sum(ours.cpu().values()), _busy()

    def read(self) -> Spent:
        seconds = time.monotonic() - self.began
        after = self.watched.cpu()
        by_process = {name: round(after[name] - self.watched_before.get(name, 0.0), 3) for name in after}
        ours = sum(self.ours.cpu().values()) - self.ours_before
        others = max(0.0, _busy() - self.busy_before - ours)
        return Spent(seconds, by_process, others / (seconds * (psutil.cpu_count() or 1)))


def _busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq
