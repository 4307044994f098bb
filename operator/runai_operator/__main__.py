"""`python -m runai_operator`."""

import sys

from runai_operator.main import main

if __name__ == "__main__":
    sys.exit(main())
