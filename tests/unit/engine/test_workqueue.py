"""The queue's promises: one place for a key, lanes in order, fair shares, large work out of the way."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import suppress

import pytest

from runai_operator.engine.workqueue import LARGE_PATIENCE, MOST_RETRIES, SLOWEST_RATE, Lane, WorkQueue

pytestmark = pytest.mark.looptime


@pytest.fixture
async def queue():
    return WorkQueue(asyncio.get_running_loop().time)


async def take_all(queue: WorkQueue) -> list[str]:
    keys = []
    while any(queue.depth().values()):
        work = await queue.get()
        keys.append(work.key)
        queue.done(work.key)
    return keys


async def test_a_key_added_twice_is_worked_on_once(queue):
    queue.add("a", Lane.USER)
    queue.add("a", Lane.USER)

    assert await take_all(queue) == ["a"]


async def test_a_key_added_during_its_work_is_handed_out_again_afterwards(queue):
    queue.add("a", Lane.USER)
    work = await queue.get()
    queue.add("a", Lane.USER)

    assert queue.depth()[Lane.USER] == 0, "two workers would have the same key"

    queue.done(work.key)

    assert await take_all(queue) == ["a"]


async def test_user_edits_are_handed_out_before_periodic_work(queue):
    queue.add("polled", Lane.PERIODIC)
    queue.add("edited", Lane.USER)

    assert await take_all(queue) == ["edited", "polled"]


async def test_an_edit_promotes_a_periodic_key_and_nothing_demotes_it(queue):
    queue.add("a", Lane.PERIODIC)
    queue.add("b", Lane.USER)
    queue.add("a", Lane.USER)
    queue.add("a", Lane.PERIODIC)

    assert (await queue.get()).lane is Lane.USER
    assert (await queue.get()).lane is Lane.USER


async def test_one_project_with_many_workloads_does_not_hold_up_another_with_one(queue):
    for n in range(100):
        queue.add(f"big-{n}", Lane.USER, flow="big")
    queue.add("small", Lane.USER, flow="small")

    first_two = [(await queue.get()).key, (await queue.get()).key]

    assert "small" in first_two


async def test_a_delay_is_kept_unless_an_earlier_time_is_asked_for(queue):
    clock = asyncio.get_running_loop().time
    began = clock()
    queue.add("a", Lane.PERIODIC, delay=300)
    queue.add("a", Lane.PERIODIC, delay=5)
    queue.add("a", Lane.PERIODIC, delay=60)

    await queue.get()

    assert clock() - began == pytest.approx(5, abs=0.1)


async def test_a_retry_planned_during_work_keeps_its_delay(queue):
    clock = asyncio.get_running_loop().time
    queue.add("a", Lane.USER)
    work = await queue.get()
    queue.add("a", Lane.USER, delay=7)
    queue.done(work.key)
    began = clock()

    await queue.get()

    assert clock() - began == pytest.approx(7, abs=0.1)


async def test_large_work_waits_until_other_work_is_done(queue):
    queue.add("large", Lane.LARGE)
    queue.add("edited", Lane.USER)
    edited = await queue.get()
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(LARGE_PATIENCE / 2)

    assert not waiting.done(), "large work started beside an edit"

    queue.done(edited.key)

    assert (await waiting).key == "large"


async def test_large_work_is_done_one_at_a_time(queue):
    queue.add("large-1", Lane.LARGE)
    queue.add("large-2", Lane.LARGE)
    first = await queue.get()
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(1)

    assert not waiting.done()

    queue.done(first.key)

    assert (await waiting).key == "large-2"


async def test_large_work_is_not_starved_by_endless_edits(queue):
    queue.add("large", Lane.LARGE)
    for n in range(100):
        queue.add(f"edit-{n}", Lane.USER)
    taken = []
    for _ in range(int(LARGE_PATIENCE) + 5):
        work = await queue.get()
        taken.append(work.key)
        await asyncio.sleep(1)
        queue.done(work.key)

    assert "large" in taken
    assert taken.index("large") >= LARGE_PATIENCE, "it did not wait for others"


async def test_large_work_waits_for_no_edit_that_hangs():
    queue = WorkQueue(asyncio.get_running_loop().time, workers=9)
    for number in range(20):
        queue.add(f"edit-{number}", Lane.USER)
    hanging = [await queue.get() for _ in range(6)]
    queue.add("large", Lane.LARGE)
    began = asyncio.get_running_loop().time()

    assert {work.lane for work in hanging} == {Lane.USER}
    assert (await queue.get()).key == "large"
    assert asyncio.get_running_loop().time() - began == pytest.approx(LARGE_PATIENCE)


async def test_a_forgotten_key_is_never_handed_out(queue):
    queue.add("now", Lane.USER)
    queue.add("later", Lane.USER, delay=5)
    queue.forget("now")
    queue.forget("later")
    queue.add("other", Lane.USER, delay=60)

    assert (await queue.get()).key == "other"


async def test_a_flood_of_edits_leaves_a_quarter_of_the_workers_to_status_work():
    queue = WorkQueue(asyncio.get_running_loop().time, workers=9)
    for number in range(100):
        queue.add(f"edit-{number}", Lane.USER)
        queue.add(f"status-{number}", Lane.PERIODIC)

    at_work = [await queue.get() for _ in range(8)]

    assert [work.lane for work in at_work].count(Lane.PERIODIC) == 2

    for work in at_work:
        queue.done(work.key)
        queue.done((await queue.get()).key)
    assert queue.depth()[Lane.USER] < 100, "edits go on as well"


async def test_work_that_hangs_leaves_workers_to_status_work_that_comes_later():
    queue = WorkQueue(asyncio.get_running_loop().time, workers=9)
    for number in range(8):
        queue.add(f"edit-{number}", Lane.USER)
    workers = [asyncio.create_task(queue.get()) for _ in range(8)]
    await asyncio.sleep(1)
    assert [worker.result().lane for worker in workers if worker.done()] == [Lane.USER] * 6

    queue.add("status", Lane.PERIODIC)
    await asyncio.sleep(1)

    assert sum(worker.done() for worker in workers) == 7
    for worker in workers:
        worker.cancel()


async def work(queue, seconds, fails, flow=""):
    """When each piece of work was begun, by one worker, for so long; what `fails` is retried."""
    loop, begun, tries = asyncio.get_running_loop(), [], Counter()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                key = (await queue.get()).key
                begun.append((loop.time(), key))
                tries[key] += 1
                if fails(key):
                    queue.retry(key, Lane.PERIODIC, failures=tries[key], flow=flow, delay=1)
                queue.done(key)
    return begun


async def test_however_much_fails_again_and_again_it_is_retried_once_a_second_together(queue):
    for number in range(100):
        queue.add(f"{number}", Lane.USER)

    await work(queue, 10, lambda key: True)
    begun = await work(queue, 200, lambda key: True)

    assert len(begun) <= 200 * SLOWEST_RATE + 1
    assert {key for _, key in begun} == {f"{number}" for number in range(100)}, "the least tried is the next"


async def test_what_fails_no_more_is_retried_faster_and_faster(queue):
    for number in range(500):
        queue.add(f"{number}", Lane.USER)
    await work(queue, 1, lambda key: True)

    begun = await work(queue, 60, lambda key: False)

    assert len(begun) == 500
    assert begun[-1][0] <= 20


async def test_a_failure_among_few_is_retried_when_its_pause_is_over(queue):
    queue.retry("single", Lane.USER, failures=1, delay=2)

    began = asyncio.get_running_loop().time()
    assert (await queue.get()).key == "single"
    assert asyncio.get_running_loop().time() - began == pytest.approx(2)


async def test_a_short_failure_is_retried_before_what_failed_often(queue):
    for number in range(100):
        queue.retry(f"{number}", Lane.PERIODIC, failures=9)
    await asyncio.sleep(5)

    queue.retry("new", Lane.PERIODIC, failures=1, delay=1)
    await asyncio.sleep(2)
    for _ in range(MOST_RETRIES):  # those that were begun before
        queue.done((await queue.get()).key)

    assert (await queue.get()).key == "new"


async def test_few_retries_are_under_way_at_a_time(queue):
    for number in range(20):
        queue.retry(f"{number}", Lane.PERIODIC, failures=1)
    await asyncio.sleep(60)

    assert queue.depth()[Lane.PERIODIC] == MOST_RETRIES


@pytest.mark.parametrize("leave", ["added", "forgotten"])
async def test_a_retry_that_is_not_needed_any_more_is_not_made(queue, leave):
    queue.retry("one", Lane.USER, failures=1, delay=5)
    assert queue.knows("one")
    if leave == "added":
        queue.add("one", Lane.USER)
        queue.done((await queue.get()).key)
    else:
        queue.forget("one")
    assert not queue.knows("one")
    queue.add("other", Lane.USER, delay=60)

    assert (await queue.get()).key == "other"


async def test_a_retry_that_is_forgotten_once_begun_makes_room_for_others(queue):
    for number in range(2 * MOST_RETRIES):
        queue.retry(f"{number}", Lane.PERIODIC, failures=1)
    await asyncio.sleep(20)
    for number in range(2 * MOST_RETRIES):
        queue.forget(f"{number}")

    queue.retry("next", Lane.PERIODIC, failures=1)

    assert (await queue.get()).key == "next"


async def test_a_retry_that_falls_due_between_two_looks_at_the_clock_is_made():
    looks = itertools.count()
    queue = WorkQueue(lambda: asyncio.get_running_loop().time() + next(looks) * 1e-6)

    queue.retry("one", Lane.USER, failures=1, delay=1.5e-6)

    assert (await queue.get()).key == "one"


async def test_a_first_failure_does_not_wait_behind_all_of_another_flow_that_failed_before_it(queue):
    for number in range(100):
        queue.add(f"{number}", Lane.PERIODIC, flow="many")
    await work(queue, 10, lambda key: True, flow="many")

    queue.retry("single", Lane.PERIODIC, failures=1, flow="other", delay=1)
    begun = await work(queue, 20, lambda key: key != "single", flow="many")

    assert "single" in [key for _, key in begun[:4]]


async def test_what_fails_without_having_been_retried_makes_no_retry_slower(queue):
    """As in a namespace where a policy refuses ever new objects, while those of another recover."""
    for number in range(300):
        queue.retry(f"{number}", Lane.PERIODIC, failures=5)

    async def fail_anew():
        for number in itertools.count():
            queue.retry(f"new{number}", Lane.PERIODIC, failures=9, delay=600)
            await asyncio.sleep(0.1)

    failing = asyncio.create_task(fail_anew())
    begun = await work(queue, 30, lambda key: False)
    failing.cancel()

    assert len(begun) == 300
