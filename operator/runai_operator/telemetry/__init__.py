"""What the operator shows of itself: metrics, logs, probes. Nothing here decides anything."""
