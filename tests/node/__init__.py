"""A real Kubernetes node for tests, without an image registry: kubelet, containerd and all, in namespaces of its own.

`python -m node` is `make test-node`. Nothing of the machine is changed, and all of it is gone with its first process.
"""
