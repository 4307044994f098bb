"""What can go wrong on the way to a running control plane; every message says what to do."""

from __future__ import annotations


class BinaryMissing(Exception):
    """A program is not there or cannot be had."""


class Unreachable(BinaryMissing):
    """The release host does not answer, or has no bundle for this machine."""


class ChecksumMismatch(BinaryMissing):
    """What was downloaded is not what was released."""


class BuildFailed(BinaryMissing):
    """The Go toolchain refused."""


class StartFailed(Exception):
    """A server ended or did not become ready; the message holds the end of its log."""


class KubectlFailed(Exception):
    """kubectl refused; the message holds the command and its error text."""
