"""Makes one small change after the other in the domain and the engine, and tells which of them no unit test notices."""
