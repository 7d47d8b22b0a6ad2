"""PostHog's tables in a real ClickHouse, filled with what the stand-in holds."""

import json
from dataclasses import dataclass
from pathlib import Path

from chdb.session import Session
from printer import COHORTS, LAZY, Printer, Project, constant
from tree import bound, parse

# Columns, sort key and engine as PostHog/posthog has them in posthog/models/{event,person,cohort}/sql.py,
# without those that no text reads, replication and Kafka's.
EVENTS = """
CREATE TABLE events (
    uuid UUID,
    event VARCHAR,
    properties VARCHAR,
    timestamp DateTime64(6, 'UTC'),
    team_id Int64,
    distinct_id VARCHAR,
    elements_chain VARCHAR,
    created_at DateTime64(6, 'UTC'),
    person_id UUID,
    `$session_id` VARCHAR MATERIALIZED replaceRegexpAll(JSONExtractRaw(properties, '$session_id'), '^"|"$', ''),
    `$window_id` VARCHAR MATERIALIZED replaceRegexpAll(JSONExtractRaw(properties, '$window_id'), '^"|"$', ''),
    _timestamp DateTime
) ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
SAMPLE BY cityHash64(distinct_id)
"""
PERSONS = """
CREATE TABLE {table} (
    team_id Int64,
    distinct_id VARCHAR,
    person_id UUID,
    is_deleted Int8,
    version Int64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (team_id, distinct_id)
SETTINGS index_granularity = 512
"""
COMPUTED = """
CREATE TABLE cohortpeople (
    person_id UUID,
    cohort_id Int64,
    team_id Int64,
    sign Int8,
    version UInt64
) ENGINE = CollapsingMergeTree(sign)
ORDER BY (team_id, cohort_id, person_id, version)
"""
UPLOADED = """
CREATE TABLE person_static_cohort (
    id UUID,
    person_id UUID,
    cohort_id Int64,
    team_id Int64,
    _timestamp DateTime
) ENGINE = ReplacingMergeTree(_timestamp)
ORDER BY (team_id, cohort_id, person_id, id)
"""
EVENTS_FILE = (
    "uuid UUID, event String, properties String, timestamp Int64, distinct_id String, elements_chain String, "
    "created_at Int64, person_id UUID"
)
# One insert makes one part a month, as PostHog's merges would in time, and keeps every row, as before those merges.
ONE_PART = (
    "SETTINGS max_insert_threads=1, max_threads=1, max_insert_block_size=100000000, min_insert_block_size_rows=100000000, "
    "min_insert_block_size_bytes=100000000000, optimize_on_insert=0"
)
# Whoever else stores events there: every second row of the table is another team's.
OTHER_TEAM = 1


@dataclass
class Answer:
    """What ClickHouse answered and what it read for it."""

    rows: list[list]
    types: list[str]
    bytes_read: int
    bytes_needed: int


class ClickHouse:
    """One server with the tables of one folder that the stand-in wrote."""

    def __init__(self, storage: Path, tables: Path, project: Project):
        self.project = project
        self.session = Session(str(storage))
        self.run("CREATE DATABASE posthog ENGINE = Atomic")
        self.run("USE posthog")
        self.run(EVENTS)
        self.run("SYSTEM STOP MERGES")
        file = f"file('{tables}/events.jsonl', 'JSONEachRow', '{EVENTS_FILE}')"
        instants = "fromUnixTimestamp64Micro(timestamp, 'UTC'), {team}, distinct_id, elements_chain, fromUnixTimestamp64Micro(created_at, 'UTC')"
        rows = " UNION ALL ".join(
            f"SELECT uuid, event, properties, {instants.format(team=team)}, person_id, now() FROM {file}"
            for team in (project.team, OTHER_TEAM)
        )
        self.run(
            "INSERT INTO events (uuid, event, properties, timestamp, team_id, distinct_id, elements_chain, created_at, "
            f"person_id, _timestamp) {rows} {ONE_PART}"
        )
        for name, table in (("person_distinct_ids", "person_distinct_id2"), ("person_overrides", "person_distinct_id_overrides")):
            self.persons(tables / f"{name}.jsonl", table)
        self.cohorts(tables / "cohort_people.jsonl")

    def persons(self, file: Path, table: str):
        """The links of a file, each also as an older version that leads elsewhere, beside ids that are deleted."""
        self.run(PERSONS.format(table=table))
        source = f"file('{file}', 'JSONEachRow', 'distinct_id String, person_id UUID, version Int64')"
        team = self.project.team
        self.run(
            f"INSERT INTO {table} SELECT {team}, distinct_id, person_id, 0, version + 1 FROM {source} "
            f"UNION ALL SELECT {team}, distinct_id, generateUUIDv4(distinct_id), 0, version FROM {source} "
            f"UNION ALL SELECT {team}, concat(distinct_id, '-gone'), person_id, 1, version + 1 FROM {source} "
            f"UNION ALL SELECT {team}, concat(distinct_id, '-gone'), person_id, 0, version FROM {source} "
            f"UNION ALL SELECT {OTHER_TEAM}, distinct_id, generateUUIDv4(distinct_id), 0, version + 9 FROM {source} {ONE_PART}"
        )

    def cohorts(self, file: Path):
        """The members of a file. Of a computed cohort also every second one as a member of the computation before, whose
        rows are taken back, beside a member that is no more; of an uploaded one every third one twice, as two uploads leave
        it. Another team has them all, and more of them."""
        self.run(COMPUTED)
        self.run(UPLOADED)
        members = f"file('{file}', 'JSONEachRow', 'cohort_id Int64, person_id UUID, version UInt64, is_static Bool')"
        team = self.project.team
        computed, uploaded = f"FROM {members} WHERE NOT is_static", f"FROM {members} WHERE is_static"
        before = f"{computed} AND version > 1 AND cityHash64(person_id) % 2 = 0"
        self.run(
            "INSERT INTO cohortpeople (person_id, cohort_id, team_id, sign, version) "
            f"SELECT person_id, cohort_id, {team}, 1, version {computed} "
            f"UNION ALL SELECT person_id, cohort_id, {team}, 1, version - 1 {before} "
            f"UNION ALL SELECT person_id, cohort_id, {team}, -1, version - 1 {before} "
            f"UNION ALL SELECT generateUUIDv4(person_id), cohort_id, {team}, 1, version - 1 {before} "
            f"UNION ALL SELECT generateUUIDv4(person_id), cohort_id, {OTHER_TEAM}, 1, version {computed} {ONE_PART}"
        )
        self.run(
            "INSERT INTO person_static_cohort (id, person_id, cohort_id, team_id, _timestamp) "
            f"SELECT generateUUIDv4(1), person_id, cohort_id, {team}, now() {uploaded} "
            f"UNION ALL SELECT generateUUIDv4(2), person_id, cohort_id, {team}, now() {uploaded} "
            "AND cityHash64(person_id) % 3 = 0 "
            f"UNION ALL SELECT generateUUIDv4(3), generateUUIDv4(4), cohort_id, {OTHER_TEAM}, now() {uploaded} "
            f"{ONE_PART}"
        )

    def run(self, sql: str):
        return self.session.query(sql, "JSONCompact")

    def values(self, sql: str) -> list[list]:
        """The rows of some SQL."""
        return json.loads(self.run(sql).bytes())["data"]

    def ask(self, text: str, values: dict) -> Answer:
        """Runs a text of HogQL as PostHog would."""
        tree = bound(parse(text), values)
        printer = Printer(self.project)
        sql = printer.text(tree)
        result = self.run(f"{sql}, date_time_output_format='iso'")
        answer = json.loads(result.bytes())
        return Answer(
            rows=answer["data"],
            types=[column["type"] for column in answer["meta"]],
            bytes_read=result.storage_bytes_read(),
            bytes_needed=self.needed(printer, tree, answer["data"]),
        )

    def sort_key_used(self, text: str, values: dict) -> set[str]:
        """Which parts of the first table's sort key narrow what ClickHouse reads for a text."""
        sql = Printer(self.project).text(bound(parse(text), values))
        lines = [line.strip(" │├└─") for (line,) in self.values(f"EXPLAIN indexes = 1 {sql}")]
        at = lines.index("PrimaryKey")
        keys = lines[lines.index("Keys:", at) + 1 :]
        return set(keys[: next(at for at, line in enumerate(keys) if line.startswith("Condition:"))])

    def needed(self, printer: Printer, tree: dict, rows: list[list]) -> int:
        """Bytes of the columns that the text names, over the rows that its conditions match: in its order and up to its
        limit, unless it groups or filters them further; of distinct ids all versions, up to the last that was answered; of
        cohorts the members that it has now.
        What else is read (the rest of the granules that hold those rows, the team's column, the overrides) is not needed."""
        (read,) = printer.reads
        sizes = ", ".join(f"{read.table}.`{column}`" for column in sorted(read.columns))
        if read.table in LAZY:
            source, last = f"{LAZY[read.table]} AS {read.table}", constant(rows[-1][0] if rows else "")
            cut = f"AND {read.table}.team_id = {self.project.team} AND {read.table}.distinct_id <= {last}"
        elif read.table in COHORTS:
            source, cut = printer.source(read.table), ""
        else:
            whole = read.grouped or tree["select_from"]["table"]["node"] == "SelectQuery"
            source = read.table
            cut = "" if whole else f"ORDER BY {', '.join(read.order)} LIMIT {tree['limit']['value']}"
        ((needed,),) = self.values(
            f"SELECT sum(size) FROM (SELECT byteSize({sizes}) AS size FROM {source} WHERE {read.where} {cut})"
        )
        return int(needed or 0)
