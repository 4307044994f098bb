"""`make demo`: the main job, shown on a real API server."""
