"""`python -m runai_simulator`."""

import sys

from runai_simulator.main import main

if __name__ == "__main__":
    sys.exit(main())
