"""What a release has and how it is made: `python -m release`; `make dist` calls it."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
