-- Instants are microseconds since 1970-01-01 UTC, days are days since 1970-01-01, UUIDs are 16
-- bytes, and structured values that no statement looks into are JSON text.
--
-- Rows are keyed by `epoch`, the local number of a connection id: one to three bytes in every
-- key of every tree instead of sixteen. It is never given twice (AUTOINCREMENT), so a row that
-- outlived its epoch by a crash can never turn up under another.

CREATE TABLE connections (
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    desired    TEXT NOT NULL,
    target     BLOB NOT NULL,
    serving    BLOB NOT NULL,
    summary    TEXT,
    failure    TEXT,
    deleted_at INTEGER,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE epochs (
    number           INTEGER PRIMARY KEY AUTOINCREMENT,
    id               BLOB NOT NULL UNIQUE,
    host             TEXT NOT NULL,
    project_id       INTEGER NOT NULL,
    id_properties    TEXT NOT NULL,
    time_zone        TEXT,
    -- Which of the daily counts are in force; others are being built or are to be removed.
    rollup           INTEGER NOT NULL DEFAULT 0,
    mapping          TEXT,
    mapping_revision INTEGER NOT NULL DEFAULT 0,
    -- A mapping on its way, and the last place (event, timestamp, uuid) that follows it.
    pending_mapping   TEXT,
    pending_event     TEXT,
    pending_timestamp INTEGER,
    pending_uuid      BLOB,
    change_seq       INTEGER NOT NULL DEFAULT 0,
    link_seq         INTEGER NOT NULL DEFAULT 0,
    backfilled_at    INTEGER,
    persons_read_at  INTEGER
) STRICT;

-- A rowid table: rows are wide, and clustered by uuid they went in at four fifths of the rate.
-- No foreign key to epochs: it is a look-up for every row, and `purge_epoch` removes all anyway.
CREATE TABLE events (
    epoch            INTEGER NOT NULL,
    uuid             BLOB NOT NULL,
    timestamp        INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    event            TEXT NOT NULL,
    stage            INTEGER,
    change_seq       INTEGER NOT NULL,
    distinct_id      TEXT NOT NULL,
    person_id        BLOB,
    session_id       TEXT,
    window_id        TEXT,
    host             TEXT,
    path             TEXT,
    referrer         TEXT,
    utm_source       TEXT,
    utm_medium       TEXT,
    utm_campaign     TEXT,
    utm_content      TEXT,
    utm_term         TEXT,
    device_type      TEXT,
    elements_chain   TEXT,
    anon_distinct_id TEXT,
    alias            TEXT,
    product_id       TEXT,
    sku              TEXT,
    price            TEXT,
    currency         TEXT,
    quantity         TEXT,
    cart_id          TEXT,
    id_properties    TEXT,
    PRIMARY KEY (epoch, uuid)
) STRICT;

-- ListEvents in its order, retention, the count of a UTC day and a day's rollup.
CREATE INDEX events_by_time ON events (epoch, timestamp, uuid);
-- ListEvents of one name, a re-map of one name, and the names that exist.
CREATE INDEX events_by_name ON events (epoch, event, timestamp, uuid);
-- ListMappedEvents; holds only the few events that feed a stage.
CREATE INDEX events_by_stage ON events (epoch, stage, timestamp, uuid) WHERE stage IS NOT NULL;
-- Events of a distinct id, its identity facts recomputed, and (with created_at, without touching
-- the table) the distinct ids that came in since a moment.
CREATE INDEX events_by_distinct_id ON events (epoch, distinct_id, timestamp, created_at);
-- Followers. Its keys only grow, so it costs next to nothing.
CREATE INDEX events_by_change ON events (epoch, change_seq);

-- What followers must forget. A tombstone stays when its event comes back, below the event's
-- newer number; `timestamp` lets retention remove it.
CREATE TABLE event_deletions (
    epoch      INTEGER NOT NULL,
    uuid       BLOB NOT NULL,
    timestamp  INTEGER NOT NULL,
    change_seq INTEGER NOT NULL,
    PRIMARY KEY (epoch, uuid)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_deletions_by_change ON event_deletions (epoch, change_seq);

CREATE TABLE daily_event_counts (
    epoch  INTEGER NOT NULL,
    rollup INTEGER NOT NULL,
    day    INTEGER NOT NULL,
    event  TEXT NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (epoch, rollup, day, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_stage_counts (
    epoch  INTEGER NOT NULL,
    rollup INTEGER NOT NULL,
    day    INTEGER NOT NULL,
    stage  INTEGER NOT NULL,
    event  TEXT NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (epoch, rollup, day, stage, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_definitions (
    epoch        INTEGER NOT NULL,
    name         TEXT NOT NULL,
    created_at   INTEGER,
    last_seen_at INTEGER,
    PRIMARY KEY (epoch, name)
) STRICT, WITHOUT ROWID;

-- Which ids a distinct id's events carried: exact under replacement and removal. The empty
-- property stands for the distinct id's own form. What kind a property names is looked up when
-- read, so that a changed configuration needs no rewrite.
CREATE TABLE identity_facts (
    epoch       INTEGER NOT NULL,
    distinct_id TEXT NOT NULL,
    property    TEXT NOT NULL,
    value       TEXT NOT NULL,
    events      INTEGER NOT NULL,
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    PRIMARY KEY (epoch, distinct_id, property, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_facts_by_value ON identity_facts (epoch, value, property, distinct_id);

-- Which person PostHog gave a distinct id, and when that was observed to begin and end.
CREATE TABLE person_links (
    link        INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch       INTEGER NOT NULL,
    distinct_id TEXT NOT NULL,
    person_id   BLOB NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_to    INTEGER,
    last_seen   INTEGER NOT NULL,
    change_seq  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX person_links_current ON person_links (epoch, distinct_id) WHERE valid_to IS NULL;
CREATE INDEX person_links_of_person ON person_links (epoch, person_id, distinct_id) WHERE valid_to IS NULL;
CREATE INDEX person_links_in_order ON person_links (epoch, distinct_id, person_id, link);

-- One holder at a time; the fence is unique over all connections and all time, so that the
-- lease of a purged epoch cannot match that of its successor.
CREATE TABLE leases (
    epoch      INTEGER PRIMARY KEY,
    fence      INTEGER NOT NULL,
    holder     TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE last_fence (fence INTEGER NOT NULL) STRICT;
INSERT INTO last_fence (fence) VALUES (0);

CREATE TABLE runs (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              BLOB NOT NULL UNIQUE,
    epoch           INTEGER NOT NULL,
    mode            TEXT NOT NULL,
    window_from     INTEGER NOT NULL,
    window_to       INTEGER NOT NULL,
    arrivals_from   INTEGER,
    arrivals_since  INTEGER,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    -- Absent in a run that ended complete.
    failure_reason  TEXT,
    failure_message TEXT,
    events_read     INTEGER NOT NULL DEFAULT 0,
    events_stored   INTEGER NOT NULL DEFAULT 0,
    events_updated  INTEGER NOT NULL DEFAULT 0,
    duplicates      INTEGER NOT NULL DEFAULT 0,
    late_events     INTEGER NOT NULL DEFAULT 0,
    events_removed  INTEGER NOT NULL DEFAULT 0,
    requests        INTEGER NOT NULL DEFAULT 0,
    bytes_received  INTEGER NOT NULL DEFAULT 0,
    bytes_read      INTEGER NOT NULL DEFAULT 0,
    -- Written when the run ends, for its slices are removed then.
    slices_done     INTEGER NOT NULL DEFAULT 0,
    slices_planned  INTEGER NOT NULL DEFAULT 0,
    progress        REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_start ON runs (epoch, started_at, number);

CREATE TABLE slices (
    run              INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    number           INTEGER NOT NULL,
    -- The order in which slices are read, as text: a part's place begins with its parent's.
    place            TEXT NOT NULL,
    spec             TEXT NOT NULL,
    expected_rows    INTEGER NOT NULL,
    rows_read        INTEGER NOT NULL DEFAULT 0,
    cursor_timestamp INTEGER,
    cursor_uuid      BLOB,
    done             INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_verdicts (
    epoch      INTEGER NOT NULL,
    day        INTEGER NOT NULL,
    remote     INTEGER NOT NULL,
    local      INTEGER NOT NULL,
    verdict    TEXT NOT NULL,
    repulls    INTEGER NOT NULL,
    counted_at INTEGER NOT NULL,
    PRIMARY KEY (epoch, day)
) STRICT, WITHOUT ROWID;

-- Requests of the last hour, one row each: both windows roll exactly.
CREATE TABLE budget_requests (
    host       TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX budget_requests_by_time ON budget_requests (host, project_id, at);

CREATE TABLE budget_slots (
    slot       INTEGER PRIMARY KEY AUTOINCREMENT,
    host       TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX budget_slots_by_key ON budget_slots (host, project_id, expires_at);

CREATE TABLE budget_pauses (
    host       TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (host, project_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE page_token_keys (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key    BLOB NOT NULL
) STRICT;
