"""The page that leads through a trial without a tenant, run as it stands."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

PAGE = (Path(__file__).parents[2] / "docs" / "try.md").read_text()
BLOCKS = re.findall(r"(<!-- needs an engine -->\n)?```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_commands_of_the_page_work_one_after_the_other(cluster):
    for elsewhere, commands in BLOCKS:
        if not elsewhere:
            started = time.monotonic()
            shown = cluster.sh(commands)
            print(f"{commands}{shown[:2000]}took {time.monotonic() - started:.1f} s\n")

    assert cluster.client.find("/apis/bridge.run.ai/v1alpha1") is None
    assert cluster.client.find("/api/v1/namespaces/runai-simulator") is None
