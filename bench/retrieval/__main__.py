"""`make bench-retrieval`: how well retrieval finds, and with `--scale` how fast. Prints tables."""

import argparse

import uvloop

from bench.retrieval import quality, scale


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--scale", action="store_true", help="measure speed and memory instead")
    parser.add_argument("--chunks", type=int, default=100_000, help="with so many chunks (default: 100000)")
    options = parser.parse_args()
    uvloop.run(scale.run(options.chunks) if options.scale else quality.run())


if __name__ == "__main__":
    main()
