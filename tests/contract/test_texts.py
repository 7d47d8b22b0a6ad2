"""Every text is HogQL by PostHog's own grammar and asks only for what PostHog has."""

import json
from pathlib import Path

from stand_in import all_texts
from tree import nodes, parse

ALLOWED = json.loads((Path(__file__).parent / "hogql_allowed.json").read_text())


def selects(tree: dict) -> list[dict]:
    return [node for node in nodes(tree) if node["node"] == "SelectQuery"]


def aliases(select: dict) -> set[str]:
    return {column["alias"] for column in select["select"] if column["node"] == "Alias"}


def fields(select: dict) -> list[list[str]]:
    """The chains of this select's own fields, without those of a select within it and its table."""
    own = {name: clause for name, clause in select.items() if name != "select_from"}
    placeholders = [node["expr"] for node in nodes(own) if node["node"] == "Placeholder"]
    return [node["chain"] for node in nodes(own) if node["node"] == "Field" and node not in placeholders]


def test_a_text_parses_with_posthogs_own_parser(query):
    assert parse(query["text"])["node"] == "SelectQuery"


def test_a_text_calls_only_functions_that_hogql_has_with_as_many_arguments(query):
    for call in nodes(parse(query["text"])):
        if call["node"] != "Call":
            continue
        assert call["name"] in ALLOWED["functions"], f"HogQL may not have {call['name']}: see README.md"
        least, most = ALLOWED["functions"][call["name"]]["arity"]
        assert least <= len(call["args"]) <= (most or len(call["args"])), call["name"]
        assert not call["params"] and not call["distinct"] and not call["order_by"]


def test_a_text_reads_only_tables_and_columns_that_hogql_has(query):
    for select in selects(parse(query["text"])):
        source = select["select_from"]["table"]
        if source["node"] == "SelectQuery":
            known = aliases(source) | {column["chain"][0] for column in source["select"] if column["node"] == "Field"}
        else:
            (table,) = source["chain"]
            assert table in ALLOWED["tables"], table
            known = set(ALLOWED["tables"][table]["columns"])
        for chain in fields(select):
            assert chain[0] in known | aliases(select), chain
            assert len(chain) == (2 if chain[0] == "properties" else 1), chain


def test_no_list_of_allowed_names_grows_without_use():
    trees = [parse(query["text"]) for query in all_texts()]
    called = {node["name"] for tree in trees for node in nodes(tree) if node["node"] == "Call"}
    assert called == set(ALLOWED["functions"])
    for table, allowed in ALLOWED["tables"].items():
        named = [select for tree in trees for select in selects(tree) if select["select_from"]["table"].get("chain") == [table]]
        read = {chain[0] for select in named for chain in fields(select) if chain[0] not in aliases(select)}
        assert read == set(allowed["columns"]), table
