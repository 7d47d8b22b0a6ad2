"""ClickHouse and the stand-in answer every text with the same rows."""

import re
from datetime import datetime

# Where two rows of one uuid share an instant, either may come first.
PAGE_ORDER = ("timestamp", "uuid")


def plain(value, type: str):
    """A value of either side in one form: instants as instants, 64-bit numbers as numbers."""
    if value is None:
        return None
    if "DateTime" in type:
        return datetime.fromisoformat(value).timestamp()
    if re.search(r"\bU?Int\d", type):
        return int(value)
    return value


def test_clickhouse_answers_as_the_stand_in_does(query, stand_in, clickhouse, bindings):
    values = bindings.of(query["name"], query["values"])
    expected = clickhouse.ask(query["text"], values)
    answer = stand_in.ask(query["text"], values)
    columns = answer["columns"]
    rows = [[plain(*cell) for cell in zip(row, expected.types, strict=True)] for row in answer["results"]]
    wanted = [[plain(*cell) for cell in zip(row, expected.types, strict=True)] for row in expected.rows]
    assert wanted, "no row matches, so nothing is compared"
    if query["name"] == "page":
        places = [columns.index(column) for column in PAGE_ORDER]
        assert [[row[at] for at in places] for row in rows] == [[row[at] for at in places] for row in wanted]
        rows, wanted = sorted(rows, key=repr), sorted(wanted, key=repr)
    for ours, theirs in zip(rows, wanted, strict=True):
        assert dict(zip(columns, ours, strict=True)) == dict(zip(columns, theirs, strict=True))
