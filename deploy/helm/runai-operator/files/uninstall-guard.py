# ruff: noqa: INP001, S310  run by a hook of the chart, in a container of the operator's image
"""End with an error while RunaiWorkloads exist: without the operator nobody removes their finalizers.

The arguments are the namespaces to look into; without any, the whole cluster is. SELECTOR in the environment leaves out what
other releases serve.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

SHOWN = 5
ACCOUNT = Path(os.environ["SERVICE_ACCOUNT"])


def some(namespace: str) -> list[str]:
    """A few of what is there. A cluster without the kind has none."""
    place = f"namespaces/{namespace}/" if namespace else ""
    query = urllib.parse.urlencode({"limit": SHOWN, "labelSelector": os.environ.get("SELECTOR", "")})
    request = urllib.request.Request(
        f"{os.environ['API_SERVER']}/apis/bridge.run.ai/v1alpha1/{place}runaiworkloads?{query}",
        headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}"},
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT  # many clusters' own authority has no key identifiers
    try:
        with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
            items = json.load(answer)["items"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        sys.exit(f"It is not known whether RunaiWorkloads exist: the API server answered {error.code}.")
    except OSError as error:
        sys.exit(f"It is not known whether RunaiWorkloads exist: the API server did not answer ({error}).")
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items]


found = [name for namespace in sys.argv[1:] or [""] for name in some(namespace)]
if found:
    moved = ", or give them labels that another release serves" if os.environ.get("SELECTOR") else ""
    sys.exit(
        f"RunaiWorkloads exist, such as {', '.join(found[:SHOWN])}: delete them first (deletionPolicy: Orphan leaves their"
        f" workloads in Run:ai){moved}, or repeat with --no-hooks."
    )
