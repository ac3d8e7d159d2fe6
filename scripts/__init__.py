"""Setup, packaging and commands of this project. They find `sluice` in its layer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "shared" / "python"))
