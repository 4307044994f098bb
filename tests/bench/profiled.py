"""`python -m bench.profiled FILE MODULE ARGUMENTS` runs a module under cProfile, by the CPU time of its main thread: while others
have the core, no function gets the blame."""

from __future__ import annotations

import cProfile
import runpy
import sys
import time


def main() -> None:
    """Writes the profile to FILE when the module ends."""
    file, module = sys.argv[1:3]
    sys.argv = [module, *sys.argv[3:]]
    profile = cProfile.Profile(time.thread_time)
    try:
        profile.runcall(runpy.run_module, module, run_name="__main__", alter_sys=True)
    finally:
        profile.dump_stats(file)


if __name__ == "__main__":
    main()
