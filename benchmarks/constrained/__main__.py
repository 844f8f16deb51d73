"""`python -m benchmarks.constrained`"""

import sys

from benchmarks.constrained.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
