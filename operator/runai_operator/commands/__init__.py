"""What `runai-operator` prints for people: one module per command."""
