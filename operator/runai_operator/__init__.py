"""The operator: bridges RunaiWorkload custom resources to the Run:ai Workloads V2 API."""

__version__ = "0.1.0"
