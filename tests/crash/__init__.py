"""The operator is killed at every await of every path, and at every fault of the network: always exactly one workload."""
