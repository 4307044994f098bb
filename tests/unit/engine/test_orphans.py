"""What was left behind is cleaned up only where it is still ours, and leaves the record only when it is settled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builders import MANIFEST
from fakes.chance import Chance, Mishap
from fakes.kube import FakeKube
from fakes.runai import FakeRunai
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import Orphan, OwnerMark, Submission
from runai_simulator.switches import Switches

MARK = OwnerMark("install-1", "team", "train", "uid-1")
NOW = 1_800_000_000.0


class Bench:
    """One orphan on record, and perhaps its workload in Run:ai."""

    def __init__(self, **switches) -> None:
        self.now = NOW
        self.kube = FakeKube()
        self.runai = FakeRunai(lambda: self.now, Switches(list_lag=1, delete_time=5, **switches))
        self.chance = Chance()
        self.cleaner = self.cleaner_with(Access())

    def cleaner_with(self, access: Access) -> Cleaner:
        return Cleaner(self.kube.client(self.chance), self.runai.client(self.chance), access=access)

    async def submitted(self, mark: OwnerMark = MARK) -> str:
        submission = Submission("train", "1", with_mark(MANIFEST, name="train", mark=mark))
        made = await self.runai.client(self.chance).create(submission)
        self.now += 10
        return made.id

    def recorded(self, workload_id: str | None) -> Orphan:
        orphan = Orphan(
            MARK, "train", "1", "team-a", workload_id, "RunaiUnavailable", workload_id is None, datetime.now(UTC)
        )
        self.kube.orphans[MARK.uid] = orphan
        return orphan


@pytest.mark.parametrize("is_known", [True, False], ids=["by id", "by name and mark"])
async def test_our_orphan_is_deleted_and_leaves_the_record_once_it_is_gone(is_known):
    bench = Bench()
    workload_id = await bench.submitted()
    orphan = bench.recorded(workload_id if is_known else None)

    assert "deletion requested" in str(await bench.cleaner.clean(orphan))
    assert MARK.uid in bench.kube.orphans

    bench.now += 60

    assert "gone from Run:ai" in str(await bench.cleaner.clean(orphan))
    assert bench.kube.orphans == {}
    assert bench.runai.live() == []


@pytest.mark.parametrize("is_known", [True, False], ids=["by id", "by name and mark"])
async def test_an_orphan_is_kept_where_its_namespace_may_not_use_the_project_that_it_is_in(is_known):
    bench = Bench()
    workload_id = await bench.submitted()
    orphan = bench.recorded(workload_id if is_known else None)
    elsewhere = Access((AccessRule(("team",), ("team-b",)), AccessRule(("other",), ("team-a",))))

    said = str(await bench.cleaner_with(elsewhere).clean(orphan))
    assert "kept: objects in namespace team may not use its project team-a" in said
    assert [each.deleted for each in bench.runai.live()] == [None]
    assert MARK.uid in bench.kube.orphans

    there = Access((AccessRule(("team",), ("team-a",)),))
    assert "deletion requested" in str(await bench.cleaner_with(there).clean(orphan))


async def test_an_orphan_that_is_gone_already_leaves_the_record():
    bench = Bench()
    orphan = bench.recorded("b6c5a1de-0000-4000-8000-000000000000")

    assert "gone from Run:ai" in str(await bench.cleaner.clean(orphan))
    assert bench.kube.orphans == {}


@pytest.mark.parametrize("is_known", [True, False], ids=["by id", "by name and mark"])
async def test_an_orphan_stays_on_record_while_its_project_is_not_visible(is_known):
    bench = Bench()
    workload_id = await bench.submitted()
    orphan = bench.recorded(workload_id if is_known else None)
    project = bench.runai.world.projects["1"]
    bench.runai.world.hide_project(project, hidden=True)

    assert "kept: Run:ai does not show its project team-a" in str(await bench.cleaner.clean(orphan))
    assert MARK.uid in bench.kube.orphans

    bench.runai.world.hide_project(project, hidden=False)
    bench.now += 60
    assert "deletion requested" in str(await bench.cleaner.clean(orphan))


async def test_an_orphan_taken_over_by_another_object_is_left_alone():
    bench = Bench()
    orphan = bench.recorded(await bench.submitted(replace(MARK, uid="uid-2")))

    assert "another owner" in str(await bench.cleaner.clean(orphan))
    assert bench.kube.orphans == {}
    assert len(bench.runai.live()) == 1


async def test_without_readable_marks_the_recorded_id_name_and_project_suffice():
    bench = Bench(raw_manifest_echo=False)
    orphan = bench.recorded(await bench.submitted())

    assert "deletion requested" in str(await bench.cleaner.clean(orphan))


async def test_without_readable_marks_a_name_alone_does_not_suffice():
    bench = Bench(raw_manifest_echo=False)
    await bench.submitted()
    orphan = bench.recorded(None)

    assert "cannot be read" in str(await bench.cleaner.clean(orphan))
    assert MARK.uid in bench.kube.orphans
    assert bench.runai.writes[-1][0] == "POST"


async def test_an_adoption_that_was_never_carried_out_is_not_deleted_although_its_id_is_on_record():
    bench = Bench()
    manifest = {**MANIFEST, "metadata": {"name": "train", "annotations": {"team": "blue"}}}
    made = bench.runai.world.create({"name": "train", "projectId": "1"}, manifest, bench.now)
    bench.now += 10
    orphan = replace(bench.recorded(made.id), in_doubt=True)

    assert "another owner" in str(await bench.cleaner.clean(orphan))
    assert len(bench.runai.live()) == 1


async def test_an_orphan_in_a_project_that_is_not_visible_stays_on_record():
    bench = Bench()
    await bench.submitted()
    orphan = replace(bench.recorded(None), project_id=None)
    bench.runai.world.hidden.add("1")

    assert "does not show its project" in str(await bench.cleaner.clean(orphan))
    assert MARK.uid in bench.kube.orphans

    bench.runai.world.hidden.clear()
    assert "deletion requested" in str(await bench.cleaner.clean(orphan))


async def test_an_orphan_of_which_no_project_is_known_stays_on_record_for_a_person():
    bench = Bench()
    orphan = replace(bench.recorded(None), project_id=None, project_name=None)

    assert "--forget" in str(await bench.cleaner.clean(orphan))
    assert MARK.uid in bench.kube.orphans


async def test_while_run_ai_is_down_the_orphan_stays_on_record_with_the_reason():
    bench = Bench()
    orphan = bench.recorded(await bench.submitted())
    bench.chance.begin({0: Mishap.UNREACHABLE})

    assert "out of reach" in str(await bench.cleaner.clean(orphan))
    assert MARK.uid in bench.kube.orphans
