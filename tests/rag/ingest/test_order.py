from __future__ import annotations

from rag.ingest.waiting import SMALL_BYTES, ActiveJob, Order
from rag.records import Job, JobState

LARGE = 10 * SMALL_BYTES


def waiting(*files: tuple[str, int]) -> list[ActiveJob]:
    """Jobs of files that wait, as (owner, bytes); the owner may have a number behind it."""
    return [ActiveJob(Job(n, name[0], str(n), name, JobState.WAITING), size) for n, (name, size) in enumerate(files, 1)]


def taken(jobs: list[ActiveJob], order: Order, largest: int | None = None) -> list[str]:
    """The names of all jobs, taken one after another, each complete before the next is taken."""
    names = []
    while chosen := order.take(jobs, largest):
        names.append(chosen.job.name)
        jobs.remove(chosen)
    return names


def test_owners_take_turns_however_many_files_one_of_them_adds():
    jobs = waiting(*((f"a{n}", LARGE) for n in range(4)), ("b0", LARGE), ("b1", LARGE), ("c0", LARGE))
    assert taken(jobs, Order(2)) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


def test_each_owner_gets_the_smallest_file_first():
    jobs = waiting(("a-large", LARGE), ("a-small", 10), ("a-middle", SMALL_BYTES))
    assert taken(jobs, Order(2)) == ["a-small", "a-middle", "a-large"]


def test_one_owner_leaves_a_thread_for_others():
    jobs, order = waiting(("a0", LARGE), ("a1", LARGE), ("a2", LARGE)), Order(2)
    assert [order.take(jobs, None).job.name for _ in range(2)] == ["a0", "a1"]
    assert order.take(jobs, None) is None
    jobs += waiting(("b0", LARGE))
    assert order.take(jobs, None).job.name == "b0"


def test_a_thread_for_small_files_takes_no_others_and_those_of_busy_owners_too():
    jobs, order = waiting(("a0", LARGE), ("a1", LARGE), ("a2", LARGE), ("a3", 10)), Order(2)
    for _ in range(2):
        order.take([one for one in jobs if one.size == LARGE], None)
    assert order.take(jobs, SMALL_BYTES).job.name == "a3"
    assert order.take(jobs, SMALL_BYTES) is None


def test_whoever_has_nothing_in_the_making_comes_first():
    jobs, order = waiting(("a0", 10), ("a1", 10), ("b0", LARGE)), Order(3)
    assert [order.take(jobs, None).job.name for _ in range(3)] == ["a0", "b0", "a1"]
