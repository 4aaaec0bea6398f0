"""Many claims in processes of their own give the entries of one process."""

from concurrent.futures import Future
from dataclasses import replace

import pytest

import theory.claims  # noqa: F401 (fills the registry)
from theory import verification
from theory.ledger import REGISTRY, verify
from theory.verification import verify_all

CHEAP = ["chang.cascade", "chang.sec5-terms", "chang.defA.7", "cd.adv0", "cd.lambda0", "cd.eq2", "tan.fn4", "tan.eq3"]


@pytest.mark.parametrize("processors", [1, 2])
def test_the_entries_are_those_of_one_process(monkeypatch, processors):
    monkeypatch.setattr(verification.os, "cpu_count", lambda: processors)
    found = {entry.id: replace(entry, seconds=0) for entry in verify_all([REGISTRY[id] for id in CHEAP], seed=3)}
    assert found == {id: replace(verify(REGISTRY[id], seed=3), seconds=0) for id in CHEAP}


def test_few_claims_start_no_process(monkeypatch):
    monkeypatch.setattr(verification, "ProcessPoolExecutor", None)
    assert [entry.id for entry in verify_all([REGISTRY[id] for id in CHEAP[:-1]])] == CHEAP[:-1]


def test_the_claims_of_a_module_travel_by_name():
    claim = REGISTRY["cd.eq2"]
    (found,) = verification._verify_module(claim.evidence.__module__, ["cd.eq2"], 3)
    assert replace(found, seconds=0) == replace(verify(claim, seed=3), seconds=0)


@pytest.mark.parametrize(("count", "processors", "starts"), [(7, 2, 0), (8, 2, 1), (8, 1, 0), (8, None, 0), (8, 4, 1)])
def test_processes_start_only_where_they_pay(monkeypatch, count, processors, starts):
    started = []

    class Inline:
        def __enter__(self):
            started.append(self)
            return self

        def __exit__(self, *_):
            return None

        def submit(self, run, *arguments):
            done = Future()
            done.set_result(run(*arguments))
            return done

    monkeypatch.setattr(verification, "ProcessPoolExecutor", Inline)
    monkeypatch.setattr(verification.os, "cpu_count", lambda: processors)
    found = {entry.id: replace(entry, seconds=0) for entry in verify_all([REGISTRY[id] for id in CHEAP[:count]])}
    assert found == {id: replace(verify(REGISTRY[id], seed=0), seconds=0) for id in CHEAP[:count]}
    assert len(started) == starts
