"""HogQL as PostHog's own parser reads it: a tree of dicts, with the placeholders bound to constants."""

import json
from collections.abc import Iterator

from hogql_parser import parse_select_json

# Where in the text a node stood, which nobody here asks.
PLACES = ("start", "end")


def parse(text: str) -> dict:
    """The tree of a select. A text that is no HogQL raises one of `posthog.hogql.errors`."""
    return json.loads(parse_select_json(text))


def nodes(tree) -> Iterator[dict]:
    """Every node of the tree, parents first."""
    if isinstance(tree, dict):
        if "node" in tree:
            yield tree
        for name, below in tree.items():
            if name not in PLACES:
                yield from nodes(below)
    elif isinstance(tree, list):
        for below in tree:
            yield from nodes(below)


def bound(tree, values: dict):
    """The tree with each placeholder replaced by a constant, as PostHog does before it resolves names."""
    if isinstance(tree, list):
        return [bound(below, values) for below in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.get("node") == "Placeholder":
        (name,) = tree["expr"]["chain"]
        return {"node": "Constant", "value": values[name]}
    return {name: bound(below, values) for name, below in tree.items()}
