"""`python -m benchmarks.scaling.peers`."""

import sys

from benchmarks.scaling.peers.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
