"""The reconciler: a keyed queue, one pass per workload, the poller that keeps status fresh.

Admitted here: when to work on an object and in what order. What to do is decided in `domain`, how it is done in the
adapters; their contracts (`ports`) are declared here, where they are used.
"""
