"""Every fault of the table, met by an upgrade under load."""

from __future__ import annotations

import pytest
from fault import Fault
from page import PAGE, page
from pool import DeploymentPool
from runner import Row, endure
from table import FAULTS


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.name, marks=[pytest.mark.quick] * one.quick) for one in FAULTS])
def test_fault(fault: Fault, pool: DeploymentPool, row: Row) -> None:
    deployment = pool.take(fault)
    whole = False
    try:
        endure(fault, deployment, row)
        whole = True
    finally:
        pool.give_back(deployment, untouched=whole and fault.shared and not fault.last)


@pytest.mark.quick
def test_no_fault_is_there_twice() -> None:
    assert len({one.name for one in FAULTS}) == len(FAULTS) >= 45


@pytest.mark.quick
def test_the_page_says_what_is_tested() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make it again: see its head"
