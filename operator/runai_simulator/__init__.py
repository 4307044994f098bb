"""A stand-in for the Run:ai control plane: the part of its REST API that the operator uses, on a real socket."""
