"""Runs the tests again and again, to find those that cannot be trusted."""
