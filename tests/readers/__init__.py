"""The programs that read our status, as oracles: kstatus (Helm, Flux), Argo CD's Lua, Flux's CEL and `kubectl wait`.

`combinations` enumerates what the operator can write, together with the row of docs/status.yaml that it belongs to.
"""

from typing import Any

Json = dict[str, Any]
"""A Kubernetes object, or a part of one."""
