"""Run the committed code of HEAD in the environment `prod`."""

import sys
from pathlib import Path

from sinara_lib.step import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, mode="prod"))
