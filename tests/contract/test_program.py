"""What the program really asks of PostHog is in the list of texts that the other tests hold to the contract."""

import re

import pytest
from program import run, sync
from stand_in import all_texts

PREFIX = "ordinary_posthog_"


def shape(text: str) -> str:
    """A text without what settings vary: the limit, and which identity properties are read."""
    text = re.sub(r", toString\(properties\.`(?:[^`\\]|``|\\.)*`\) as id_\d+", "", text)
    return re.sub(r" limit \d+$", "", text)


@pytest.fixture(scope="module")
def asked(stand_in, clickhouse, tmp_path_factory) -> list[dict]:
    """Every query of a check, a backfill and a refresh."""
    folder = tmp_path_factory.mktemp("program")
    before = len(stand_in.asked())
    run(stand_in, folder, "check")
    sync(stand_in, folder, "backfill")
    sync(stand_in, folder, "refresh")
    return stand_in.asked()[before:]


def test_every_text_that_the_program_sends_is_in_the_list_of_texts(asked):
    listed = {(PREFIX + text["name"], shape(text["text"])) for text in all_texts()}
    sent = {(query["name"], shape(query["text"])) for query in asked}
    assert len(sent) > 8, "so few texts are no check, backfill and refresh"
    assert sent <= listed


def test_clickhouse_has_as_many_rows_for_what_the_program_asked(asked, clickhouse):
    for query in asked:
        assert query["status"] == 200
        assert len(clickhouse.ask(query["text"], query["values"]).rows) == query["rows"], query
