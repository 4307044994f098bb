"""Measurements, never assertions: figures side by side in one run, since machines differ and are shared."""
