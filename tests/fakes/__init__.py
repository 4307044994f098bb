"""The two sides of the bridge in memory, with time as a number: they keep the ports' promises and can be made to fail."""
