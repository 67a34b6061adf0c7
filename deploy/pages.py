"""The generated pages: `make pages` writes them, `make check` compares.

Owner: deploy. What is generated is committed, so that it can be read where it lies.
"""

import sys
from pathlib import Path

from deploy import subjects

SUBJECTS = Path(__file__).parents[1] / "docs" / "subjects.md"


def main() -> None:
    page = subjects.page()
    if "--check" not in sys.argv:
        SUBJECTS.write_text(page)
    elif not SUBJECTS.exists() or SUBJECTS.read_text() != page:
        sys.exit(f"{SUBJECTS} is not what the contracts and the services say: run `make pages`.")


if __name__ == "__main__":
    main()
