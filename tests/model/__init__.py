"""The protocol explored: real decisions in a fake world where everything that can go wrong does."""
