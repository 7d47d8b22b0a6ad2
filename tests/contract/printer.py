"""Prints a tree of HogQL as the ClickHouse SQL that PostHog would run, for the nodes that our texts have.

Written after PostHog/posthog, files and commits in README.md: the team's filter, columns by project time zone,
properties out of JSON, `ifNull` around comparisons that may be NULL, lazy tables, persons through overrides.
What it does not know it refuses, so that no text is run in another sense than PostHog's.
"""

from dataclasses import dataclass, field

COMPARISONS = {
    "==": "equals",
    "<": "less",
    "<=": "lessOrEquals",
    ">": "greater",
    ">=": "greaterOrEquals",
    "ilike": "ilike",
    "in": "in",
    "not in": "notIn",
}
RANGES = {"<", "<=", ">", ">="}
INSTANTS = {"timestamp", "created_at"}
# HogQL table -> ClickHouse table of its rows, one for each version of a distinct id.
LAZY = {"person_distinct_ids": "person_distinct_id2", "person_distinct_id_overrides": "person_distinct_id_overrides"}
# HogQL table -> ClickHouse table of the members of dynamic cohorts (each computation's rows) and of static ones.
COHORTS = {"cohort_people": "cohortpeople", "static_cohort_people": "person_static_cohort"}
# A select without LIMIT gets 100, one with a greater LIMIT is cut to this.
MOST_ROWS = 50_000
# The settings of PostHog's own that can change rows or what is read.
SETTINGS = "SETTINGS transform_null_in=1, optimize_min_equality_disjunction_chain_length=4294967295"


@dataclass
class Project:
    """What of a project changes how a text is printed."""

    team: int
    timezone: str
    # Names of properties that PostHog has typed as numbers.
    numeric: frozenset[str] = frozenset()
    # The dynamic cohorts that were computed: each one's number and that of its last computation.
    cohorts: tuple[tuple[int, int], ...] = ()


@dataclass
class Select:
    """A select while it is printed: its table, the names it gives, and the columns it reads."""

    table: str | None
    aliases: set[str]
    columns: set[str] = field(default_factory=set)
    # Within WHERE but within no call, where PostHog takes a column's time zone off for the index's sake.
    bare_instants: bool = False
    in_hint: bool = False


@dataclass
class Read:
    """What a select reads of a table."""

    table: str
    where: str
    columns: set[str]
    grouped: bool
    order: list[str]


class Printer:
    """Prints one text. Afterwards `reads` has what it reads of each table."""

    def __init__(self, project: Project):
        self.project = project
        self.reads: list[Read] = []

    def text(self, tree: dict) -> str:
        """The SQL of a whole query."""
        assert tree["limit"] is not None, "a text without a LIMIT would be cut to 100 rows"
        limit = min(tree["limit"]["value"], MOST_ROWS)
        return f"{self.select({**tree, 'limit': None})} LIMIT {limit} {SETTINGS}"

    def select(self, tree: dict) -> str:
        for clause in ("ctes", "having", "prewhere", "qualify", "offset", "distinct", "limit", "limit_by", "window_exprs"):
            assert not tree.get(clause), f"{clause} is not known here"
        source = tree["select_from"]
        assert not any(source.get(part) for part in ("alias", "next_join", "sample", "table_final")), source
        aliases = {column["alias"] for column in tree["select"] if column["node"] == "Alias"}
        table = None
        if source["table"]["node"] == "SelectQuery":
            printed_from = f"({self.select(source['table'])})"
        else:
            (table,) = source["table"]["chain"]
            printed_from = self.source(table)
        scope = Select(table, aliases)
        columns = [self.column(column, scope) for column in tree["select"]]
        scope.bare_instants = True
        # What is a table of its own has the team's filter; of the others it is within their source.
        own = table in ("events", "static_cohort_people")
        conditions = [f"equals({table}.team_id, {self.project.team})"] if own else []
        if where := tree.get("where"):
            exprs = where["exprs"] if where["node"] == "And" else [where]
            conditions += [self.expr(expr, scope) for expr in exprs]
        scope.bare_instants = False
        group = [self.expr(expr, scope) for expr in tree.get("group_by") or []]
        order = [f"{self.expr(by['expr'], scope)} {by['order']}" for by in tree.get("order_by") or []]
        if "person_id" in scope.columns and table == "events":
            printed_from += (
                f" LEFT OUTER JOIN {self.lazy('person_distinct_id_overrides', 'events__override')}"
                " ON equals(events.distinct_id, events__override.distinct_id)"
            )
        where = " and ".join(conditions)
        if table is not None:
            self.reads.append(Read(table, where, scope.columns, bool(group), order))
        parts = [f"SELECT {', '.join(columns)} FROM {printed_from}"]
        parts += [f"WHERE {where}"] if where else []
        parts += [f"GROUP BY {', '.join(group)}"] if group else []
        parts += [f"ORDER BY {', '.join(order)}"] if order else []
        return " ".join(parts)

    def source(self, table: str) -> str:
        """What a select from a table of HogQL is from."""
        if table == "events":
            return table
        if table in LAZY:
            return self.lazy(table, table)
        if table == "cohort_people":
            return self.computed(table)
        return f"{COHORTS[table]} AS {table}"

    def computed(self, table: str) -> str:
        """The rows of the last computation of each dynamic cohort."""
        raw = COHORTS[table]
        versions = ", ".join(f"tuple({cohort}, {version})" for cohort, version in self.project.cohorts)
        return (
            f"(SELECT DISTINCT {raw}.person_id AS person_id, {raw}.cohort_id AS cohort_id FROM {raw} "
            f"WHERE and(equals({raw}.team_id, {self.project.team}), "
            f"in(tuple({raw}.cohort_id, {raw}.version), [{versions}]))) AS {table}"
        )

    def lazy(self, table: str, alias: str) -> str:
        """The newest row of each distinct id, deleted ones left out."""
        raw = LAZY[table]

        def newest(column: str) -> str:
            return f"tupleElement(argMax(tuple({raw}.{column}), {raw}.version), 1)"

        return (
            f"(SELECT {newest('person_id')} AS person_id, {raw}.distinct_id AS distinct_id FROM {raw} "
            f"WHERE equals({raw}.team_id, {self.project.team}) GROUP BY {raw}.distinct_id "
            f"HAVING ifNull(equals({newest('is_deleted')}, 0), 0) "
            f"SETTINGS optimize_aggregation_in_order=1) AS {alias}"
        )

    def column(self, tree: dict, scope: Select) -> str:
        if tree["node"] == "Alias":
            return f"{self.expr(tree['expr'], scope, column=True)} AS {quoted(tree['alias'])}"
        assert tree["node"] == "Field", "an expression without an alias is named by its text"
        return f"{self.expr(tree, scope, column=True)} AS {quoted(tree['chain'][-1])}"

    def expr(self, tree: dict, scope: Select, column: bool = False) -> str:
        match tree["node"]:
            case "Constant":
                return constant(tree["value"])
            case "Field":
                return self.field(tree["chain"], scope, column)
            case "And" | "Or":
                exprs = ", ".join(self.expr(expr, scope) for expr in tree["exprs"])
                return f"{tree['node'].lower()}({exprs})"
            case "CompareOperation":
                return self.comparison(tree, scope)
            case "Call":
                return self.call(tree, scope)
        raise AssertionError(f"the node {tree['node']} is not known here")

    def field(self, chain: list[str], scope: Select, column: bool = False) -> str:
        name = chain[0]
        if len(chain) == 1 and not column and name in scope.aliases:
            return quoted(name)
        if scope.table is None:
            assert len(chain) == 1, chain
            return quoted(name)
        scope.columns.add(name)
        if name == "properties":
            assert len(chain) == 2, "a whole or a nested property is not known here"
            return self.property(chain[1])
        assert len(chain) == 1, chain
        if scope.table != "events":
            return f"{scope.table}.{quoted(name)}"
        if name == "person_id":
            return "if(not(empty(events__override.distinct_id)), events__override.person_id, events.person_id)"
        printed = f"events.{quoted(name)}"
        return f"toTimeZone({printed}, {constant(self.project.timezone)})" if name in INSTANTS else printed

    def property(self, name: str) -> str:
        raw = f"nullIf(nullIf(JSONExtractRaw(events.properties, {constant(name)}), ''), 'null')"
        text = f"replaceRegexpAll({raw}, '^\"|\"$', '')"
        return f"accurateCastOrNull({text}, 'Float64')" if name in self.project.numeric else text

    def comparison(self, tree: dict, scope: Select) -> str:
        left, right, op = tree["left"], tree["right"], tree["op"]
        printed = self.expr(left, scope)
        if scope.bare_instants and op in RANGES and is_instant(left, scope):
            printed = f"events.{left['chain'][0]}"
        printed = f"{COMPARISONS[op]}({printed}, {self.expr(right, scope)})"
        # PostHog never wraps these, lest the index is lost.
        if op in ("in", "not in") or scope.in_hint or is_instant(left, scope, "timestamp"):
            return printed
        return f"ifNull({printed}, 0)" if nullable(left, scope) or nullable(right, scope) else printed

    def call(self, tree: dict, scope: Select) -> str:
        name, args = tree["name"], tree["args"]
        assert not tree["distinct"] and not tree["params"], tree
        outside = scope.bare_instants, scope.in_hint
        scope.bare_instants, scope.in_hint = False, scope.in_hint or name == "indexHint"
        printed = [self.expr(arg, scope) for arg in args]
        scope.bare_instants, scope.in_hint = outside
        if name == "toDateTime":
            assert len(args) == 2 and args[0]["node"] == "Constant", "one argument is read in the project's time zone"
            return f"parseDateTime64BestEffortOrNull({printed[0]}, 6, {printed[1]})"
        return f"{name}({', '.join(printed)})"


def is_instant(tree: dict, scope: Select, *names: str) -> bool:
    """Whether this is a column of instants of the events table (one of these names)."""
    if scope.table != "events" or tree["node"] != "Field" or len(tree["chain"]) != 1:
        return False
    return tree["chain"][0] in (names or INSTANTS)


def nullable(tree: dict, scope: Select) -> bool:
    """What PostHog takes to be nullable: properties, calls, whatever has no type; not the tables' columns."""
    match tree["node"]:
        case "Constant":
            return tree["value"] is None
        case "Field":
            return scope.table is None or tree["chain"][0] == "properties"
    return True


def constant(value) -> str:
    """A constant as PostHog's ClickHouse driver writes it."""
    match value:
        case bool() | None:
            raise AssertionError(f"{value} is not known here")
        case int():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
            return f"'{escaped}'"
        case list():
            return f"[{', '.join(constant(item) for item in value)}]"
    raise AssertionError(f"{value!r} is not known here")


def quoted(name: str) -> str:
    """An identifier of ClickHouse."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
