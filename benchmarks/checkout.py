"""This checkout: what is measured, and where results are kept.

It goes to the front of the path, so that a figure is of the code that lies here, whose
commit is written beside it, and not of a copy that happens to be installed.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"

sys.path.insert(0, str(ROOT))
