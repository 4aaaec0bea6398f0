"""Stored tables: new rows take the place of their older ones, and of nothing else."""

from tests.stored import in_order, updated, written

COLUMNS = ("what", "part", "value")
ROWS = ("b", "1", "x, y"), ("b", "2", ""), ("a", "1", "z")
OLD = written(COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in ROWS])


def test_only_what_agrees_in_every_key_is_replaced():
    new = [{"what": "b", "part": 1, "value": 0.5, "unasked": "-"}]
    assert updated(OLD, COLUMNS, new, ("what", "part")).splitlines() == ["what,part,value", "b,2,", "a,1,z", "b,1,0.5"]
    assert updated(OLD, COLUMNS, new, ("what",)).splitlines() == ["what,part,value", "a,1,z", "b,1,0.5"]
    assert updated("", COLUMNS, new, ("what",)).splitlines() == ["what,part,value", "b,1,0.5"]
    assert updated(OLD, COLUMNS, [], ("what",)) == OLD


def test_order_is_by_the_columns_and_else_as_it_was():
    assert [line[:3] for line in in_order(OLD, ("what",)).splitlines()[1:]] == ["a,1", "b,1", "b,2"]
