"""`python -m benchmarks.voting`: the table of stopping rules on recorded answers."""

import sys

from benchmarks.voting.command import main

sys.exit(main(sys.argv[1:]))
