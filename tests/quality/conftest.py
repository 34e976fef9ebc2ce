"""Makes the builders of gate contexts importable from every folder of these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
