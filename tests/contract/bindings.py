"""Values for the placeholders of the texts, chosen so that each condition keeps some rows and drops others."""

from datetime import datetime, timedelta

from clickhouse import ClickHouse


# The made-up shop's static cohort, which the examples of the texts name too; a dynamic one is 1.
UPLOADED = 2


class Bindings:
    """Chosen from what the tables hold. A placeholder that nothing here knows is an error: it must be thought about."""

    def __init__(self, clickhouse: ClickHouse):
        ask = clickhouse.values
        team = clickhouse.project.team
        ((odd, uuid),) = ask(
            "SELECT toString(timestamp), min(toString(uuid)) FROM events "
            f"WHERE team_id = {team} AND distinct_id LIKE 'odd%' GROUP BY timestamp HAVING count() > 3 ORDER BY timestamp LIMIT 1"
        )
        self.odd, self.uuid = datetime.fromisoformat(odd), uuid
        ids = f"FROM person_distinct_id2 WHERE team_id = {team} AND is_deleted = 0"
        ((self.middle_id,),) = ask(f"SELECT arrayElement(arraySort(groupArray(distinct_id)), toUInt64(count() / 2)) {ids}")
        self.ids = [id for (id,) in ask(f"SELECT DISTINCT distinct_id {ids} ORDER BY cityHash64(distinct_id) LIMIT 300")]
        self.ids += [id for (id,) in ask(f"SELECT DISTINCT distinct_id {ids} AND distinct_id LIKE 'odd%'")]
        self.ids += [f"{self.ids[0]}-gone", "nobody"]
        self.members = {}
        for cohort, version in clickhouse.project.cohorts:
            self.members[cohort] = f"cohortpeople WHERE cohort_id = {cohort} AND version = {version} AND sign = 1"
        self.members[UPLOADED] = f"person_static_cohort WHERE cohort_id = {UPLOADED}"
        for cohort, source in self.members.items():
            persons = ask(f"SELECT DISTINCT toString(person_id) AS person FROM {source} AND team_id = {team} ORDER BY person")
            self.members[cohort] = [person for (person,) in persons]

    def buckets(self, cohort: int) -> list[str]:
        """Every second bucket that has a member of the cohort."""
        return sorted({bucket(person) for person in self.members[cohort]})[::2]

    def of(self, name: str, example: dict) -> dict:
        """Values for the text of this name that has these placeholders."""
        return {placeholder: self.value(name, placeholder, example) for placeholder in example}

    def value(self, name: str, placeholder: str, example: dict):
        days = timedelta(days=1)
        midnight = self.odd.replace(hour=0, minute=0, second=0, microsecond=0)
        match placeholder:
            case "from" if "padded_from" in example:
                return instant(midnight)
            case "from" if "after_event" in example:
                return instant(midnight - days)
            case "from":
                return instant(self.odd - (9 * days if "window_from" in example else 2 * days))
            case "to" if "padded_to" in example:
                return instant(midnight + days)
            case "to" | "until":
                return instant(self.odd + timedelta(hours=20))
            case "window_from":
                return instant(self.odd - timedelta(hours=12))
            case "arrived_since":
                return instant(self.odd + timedelta(hours=1, microseconds=1))
            case "next_day" | "day":
                return instant(midnight)
            case "padded_from":
                return instant(midnight - days)
            case "padded_to":
                return instant(midnight + 2 * days)
            case "after_event":
                return "$identify"
            case "after" if name == "known_events":
                return "$pageview"
            case "after" if name == "uuids_of_day":
                return self.uuid
            case "after" if name in ("person_overrides", "person_mappings"):
                return self.middle_id
            case "after_time":
                return instant(self.odd)
            case "after_uuid":
                return self.uuid
            case "distinct_ids":
                return self.ids
            case "cohort" | "cohorts":
                return example[placeholder]
            case "buckets":
                return self.buckets(example["cohort"])
            case "first" if name == "bucket_digests":
                return f"00000000-0000-0000-{self.buckets(example['cohort'])[1]}0-000000000000"
            case "last" if name == "bucket_digests":
                return f"ffffffff-ffff-ffff-{self.buckets(example['cohort'])[-2]}f-ffffffffffff"
            case "first":
                return f"00000000-0000-0000-{self.buckets(example['cohort'])[0]}0-000000000000"
            case "last":
                return f"ffffffff-ffff-ffff-{self.buckets(example['cohort'])[-1]}f-ffffffffffff"
            case "after" if name == "bucket_members":
                within = [person for person in self.members[example["cohort"]] if bucket(person) in self.buckets(example["cohort"])]
                return within[len(within) // 2 - 1]
            case "events":
                return ["product viewed", "$pageview", "not sent ever"]
            case "event" if name == "page":
                return "$autocapture"
            case "event" | "pattern" | "autocapture" | "hash_from" | "hash_to":
                return example[placeholder]
        raise AssertionError(f"{name} has a new placeholder {{{placeholder}}}: say here what to bind it to")


def bucket(person: str) -> str:
    """The bucket of a person's id."""
    return person[19:22]


def instant(at: datetime) -> str:
    """An instant as the client writes it."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
