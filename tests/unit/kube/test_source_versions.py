"""A look at a source and a reading of it say the same of one that cannot be read: else each look would have it read again."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from runai_operator.domain.errors import AccessDenied, SourceUnusable, Vanished
from runai_operator.domain.model import SourceRef
from runai_operator.domain.reasons import Reason


@pytest.mark.parametrize(
    ("refusal", "name", "reason"),
    [
        pytest.param(Vanished("HTTP 404"), "a", Reason.SOURCE_NOT_FOUND, id="missing"),
        pytest.param(AccessDenied("HTTP 403"), "a", Reason.SOURCE_FORBIDDEN, id="forbidden"),
        pytest.param(None, "no/name", Reason.INVALID_SPEC, id="of no valid name"),
    ],
)
async def test_a_look_and_a_reading_agree_on_why_it_cannot_be_read(client, monkeypatch, refusal, name, reason):
    monkeypatch.setattr(client, "_call", AsyncMock(side_effect=refusal))
    source = SourceRef("ConfigMap", name, "x.yaml")

    with pytest.raises(SourceUnusable) as read:
        await client.read_source("ns", source)

    assert (read.value.condition_reason, read.value.version) == (reason, reason)
    assert await client.source_version("ns", source) == reason
