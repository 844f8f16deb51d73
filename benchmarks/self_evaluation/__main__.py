"""`python -m benchmarks.self_evaluation`."""

import sys

from benchmarks.self_evaluation.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
