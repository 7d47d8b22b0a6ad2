"""One stand-in and one ClickHouse with the same rows, for all tests."""

import pytest
from bindings import Bindings
from clickhouse import ClickHouse
from printer import Project
from stand_in import all_texts, serving




def pytest_addoption(parser):
    parser.addoption("--events", type=int, default=40_000, help="how many events the shop has")
    parser.addoption("--days", type=int, default=30, help="how many days they lie within")


def pytest_generate_tests(metafunc):
    """One test a text, named by the text's name and its place in the list."""
    if "query" in metafunc.fixturenames:
        texts = all_texts()
        metafunc.parametrize("query", texts, ids=[f"{at}-{text['name']}" for at, text in enumerate(texts)])


@pytest.fixture(scope="session")
def stand_in(request, tmp_path_factory):
    """A stand-in with a generated shop."""
    size = (request.config.getoption(option) for option in ("--events", "--days"))
    with serving(tmp_path_factory.mktemp("shop"), *size) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def clickhouse(stand_in, tmp_path_factory) -> ClickHouse:
    """A ClickHouse with the stand-in's rows in PostHog's tables."""
    project = Project(stand_in.project, stand_in.timezone, frozenset(stand_in.numeric), tuple(map(tuple, stand_in.cohorts)))
    return ClickHouse(tmp_path_factory.mktemp("clickhouse"), stand_in.folder, project)


@pytest.fixture(scope="session")
def bindings(clickhouse) -> Bindings:
    """Values for the texts' placeholders."""
    return Bindings(clickhouse)
