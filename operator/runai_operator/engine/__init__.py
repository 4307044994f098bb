"""The reconciler: a keyed queue, one pass per workload, the poller that keeps status fresh.

Admitted here: when to look and in what order. What to do is decided in `domain`, how it is done in the adapters,
whose contracts (`ports`) are declared here by their user.
"""
