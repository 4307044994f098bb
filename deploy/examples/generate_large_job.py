# ruff: noqa: INP001  a script beside what it writes, not a package
"""Write large-job.yaml: a Job whose list of inputs makes it larger than 300 KiB. The same text at every run."""

from __future__ import annotations

import hashlib
from pathlib import Path

TARGET = Path(__file__).with_name("large-job.yaml")
SHARDS = 2800

HEAD = """\
# A Job that names every one of its 2,800 input files and their checksums: more than 300 KiB, so it comes as
# manifestYaml, which Kubernetes stores as one string. Apply it with `kubectl apply --server-side`.
# Written by generate_large_job.py.
apiVersion: bridge.run.ai/v1alpha1
kind: RunaiWorkload
metadata:
  name: tokenize-corpus
spec:
  projectName: team-a
  category: Train
  priority: low
  preemptibility: preemptible
  manifestYaml: |
    apiVersion: batch/v1
    kind: Job
    spec:
      backoffLimit: 4
      parallelism: 8
      completions: 8
      completionMode: Indexed
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: tokenize
              image: ghcr.io/example/tokenize:1.4.0
              resources:
                limits:
                  nvidia.com/gpu: 1
                  cpu: "16"
                  memory: 64Gi
              command: [tokenize, --model=bpe-128k, --output=s3://corpus-tokens/2025-08]
              args:
"""


def shard(number: int) -> str:
    """Return the argument that names one input file, with its checksum."""
    path = f"s3://corpus-raw/2025-08/part-{number:05}.jsonl.zst"
    return f"{path}#sha256={hashlib.sha256(path.encode()).hexdigest()}"


def text() -> str:
    """Return the whole file."""
    return HEAD + "".join(f"                - {shard(number)}\n" for number in range(SHARDS))


if __name__ == "__main__":
    TARGET.write_text(text())
