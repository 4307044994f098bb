"""Adapter to the Run:ai control plane, over httpx.

Admitted here: what knows Run:ai's URLs, JSON or status codes. No foreign exception leaves this package.
"""

from runai_operator.lean import absent

# httpx would load what its command line uses.
with absent("httpx._main"):
    import httpx as httpx
