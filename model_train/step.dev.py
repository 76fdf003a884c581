"""Run this step on the working tree as it is, in the environment `user`."""

import sys
from pathlib import Path

from sinara_lib.step import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, mode="dev"))
