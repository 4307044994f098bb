"""Adapter to the Kubernetes API: reads, guarded writes, and the session shared with kopf.

Admitted here: what knows Kubernetes' URLs, JSON or status codes. No foreign exception leaves this package.
"""
