"""The progress of all files together that an owner is adding."""

from dataclasses import replace

import pytest

from rag.ingest.waiting import Batches
from rag.records import Job, JobState


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def jobs(count, owner="ann"):
    return [Job(n, owner, "", f"{n}.pdf", JobState.WAITING) for n in range(count)]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def batches(clock):
    batches = Batches(clock)
    for n, job in enumerate(jobs(4)):
        batches.add(job, 100, jobs(n))
    return batches


def test_the_time_left_follows_from_the_bytes_that_are_done(batches, clock):
    assert batches.progress("ann", jobs(4)).seconds_left is None
    clock.now = 30.0
    left = jobs(4)[1:]
    adding = batches.progress("ann", left)
    assert (adding.done, adding.total, adding.share) == (1, 4, 0.25)
    assert adding.seconds_left == pytest.approx(90)
    half = replace(left[0], state=JobState.EMBEDDING, pages=10, pages_read=10, passages=100, passages_embedded=50)
    assert batches.progress("ann", [half, *left[1:]]).share == pytest.approx(0.25 + 0.25 * 0.55)


def test_failed_files_are_done_and_cancelled_ones_are_not_counted(batches):
    first, second, *left = jobs(4)
    batches.drop(second)
    adding = batches.progress("ann", [replace(first, state=JobState.FAILED), *left])
    assert (adding.done, adding.total) == (1, 3)


def test_a_batch_ends_when_nothing_is_left_and_the_next_one_counts_anew(batches):
    failed = [replace(job, state=JobState.FAILED) for job in jobs(4)]
    assert batches.progress("ann", failed) is None
    batches.add(Job(9, "ann", "", "9.pdf", JobState.WAITING), 100, failed)
    assert batches.progress("ann", [*failed, Job(9, "ann", "", "9.pdf", JobState.WAITING)]).total == 1
    assert batches.progress("bob", jobs(4)) is None
