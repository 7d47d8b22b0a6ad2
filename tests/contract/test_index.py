"""ClickHouse narrows what it reads for every text by as much of the sort key as the text says something about."""


def test_a_text_is_read_by_the_sort_key(query, clickhouse, bindings):
    text = query["text"]
    wanted = {"team_id"}
    if " from events " in text:
        wanted.add("toDate(timestamp)")
        # What is only excluded leaves all else to be read.
        wanted |= {"event"} if " event in {" in text or " event = {" in text else set()
        wanted |= {"cityHash64(distinct_id)"} if "{hash_from}" in text else set()
    elif "cohort_people " in text:
        wanted.add("cohort_id")
        wanted |= {"person_id"} if "{first}" in text else set()
    else:
        wanted.add("distinct_id")
    used = clickhouse.sort_key_used(text, bindings.of(query["name"], query["values"]))
    assert used >= wanted
