"""Writes what is generated from the tables of the engine: `python -m deploy [DIRECTORY]`."""

import sys
from pathlib import Path

from deploy.generated import write

for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
    print(path)
