"""A backfill makes ClickHouse read at most twice the bytes that it needs.

Needed are the columns that a text names, over the rows that match (`ClickHouse.needed`). What decides how much else is read
is how many events a day has, for ClickHouse reads granules of 8,192 rows; so a smaller shop is tested with fewer days.
"""

from collections import defaultdict

import pytest
from program import sync

MOST = 2.0


@pytest.fixture(scope="module")
def asked(stand_in, clickhouse, tmp_path_factory) -> list[dict]:
    """Every query of a backfill."""
    before = len(stand_in.asked())
    sync(stand_in, tmp_path_factory.mktemp("backfill"), "backfill")
    return stand_in.asked()[before:]


def test_a_backfill_reads_at_most_twice_the_bytes_it_needs(asked, clickhouse, capsys):
    figures = defaultdict(lambda: [0, 0, 0, 0])
    for query in asked:
        answer = clickhouse.ask(query["text"], query["values"])
        for at, figure in enumerate((1, len(answer.rows), answer.bytes_read, answer.bytes_needed)):
            figures[query["name"]][at] += figure
    figures["all"] = [sum(column) for column in zip(*figures.values(), strict=True)]
    with capsys.disabled():
        print(f"\n{'':40}{'queries':>9}{'rows':>10}{'MB read':>9}{'needed':>9}{'times':>7}")
        for name, (queries, rows, read, needed) in figures.items():
            print(f"{name:40}{queries:9}{rows:10}{read / 1e6:9.1f}{needed / 1e6:9.1f}{read / max(needed, 1):7.2f}")
    _, rows, read, needed = figures["ordinary_posthog_page"]
    assert rows > 0
    assert read <= MOST * needed
    _, _, read, needed = figures["all"]
    assert read <= MOST * needed
