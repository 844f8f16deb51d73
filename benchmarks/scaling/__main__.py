"""`python -m benchmarks.scaling`, which is `its-gateway scaling`."""

import sys

from benchmarks.scaling.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
