"""Adapter to the Run:ai control plane, over httpx.

Admitted here: what knows Run:ai's URLs, JSON or status codes. No foreign exception leaves this package.
"""
