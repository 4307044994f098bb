"""Text that other people wrote, to values: what cannot be read is an answer, never a crash."""
