-- Instants are microseconds since 1970-01-01 UTC, days are days since 1970-01-01, and structured
-- values that no statement looks into are JSON text: as in the SQLite store, so that both answer
-- alike over the whole range of instants.
--
-- Rows are keyed by `epoch`, the local number of a connection id: half the bytes in every key,
-- and every key leads with it, so that tables can be distributed or partitioned by it. It is
-- never given twice.
--
-- Texts that are ordered are ordered by their bytes: COLLATE "C". A key in an index holds at most
-- 2,704 bytes; texts that PostHog may send longer are therefore indexed by their first 500
-- characters, and where a row must be the only one, by a hash of the whole beside them.

CREATE TABLE connections (
    namespace  text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    desired    text NOT NULL,
    target     uuid NOT NULL,
    serving    uuid NOT NULL,
    summary    text,
    failure    text,
    deleted_at bigint,
    PRIMARY KEY (namespace, name)
);

-- A writer of an epoch's rows locks its row here first: so writers of one epoch follow each
-- other, and no change sequence number is seen before a lower one.
CREATE TABLE epochs (
    number           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               uuid NOT NULL UNIQUE,
    host             text NOT NULL,
    project_id       bigint NOT NULL,
    id_properties    text NOT NULL,
    time_zone        text,
    -- Which of the daily counts are in force; others are being built or are to be removed.
    rollup           bigint NOT NULL DEFAULT 0,
    mapping          text,
    mapping_revision bigint NOT NULL DEFAULT 0,
    -- A mapping on its way, and the last place (event, timestamp, uuid) that follows it.
    pending_mapping   text,
    pending_event     text COLLATE "C",
    pending_timestamp bigint,
    pending_uuid      uuid,
    change_seq       bigint NOT NULL DEFAULT 0,
    link_seq         bigint NOT NULL DEFAULT 0,
    backfilled_at    bigint,
    persons_read_at  bigint
);

-- No foreign key to epochs: it is a look-up for every row, and `purge_epoch` removes all anyway.
CREATE TABLE events (
    epoch            bigint NOT NULL,
    uuid             uuid NOT NULL,
    timestamp        bigint NOT NULL,
    created_at       bigint NOT NULL,
    change_seq       bigint NOT NULL,
    stage            smallint,
    event            text COLLATE "C" NOT NULL,
    distinct_id      text COLLATE "C" NOT NULL,
    person_id        uuid,
    session_id       text COLLATE "C",
    window_id        text,
    host             text,
    path             text,
    referrer         text,
    utm_source       text,
    utm_medium       text,
    utm_campaign     text,
    utm_content      text,
    utm_term         text,
    device_type      text,
    elements_chain   text,
    anon_distinct_id text,
    alias            text,
    product_id       text,
    sku              text,
    price            text,
    currency         text,
    quantity         text,
    cart_id          text,
    id_properties    text,
    PRIMARY KEY (epoch, uuid)
);

-- ListEvents in its order, retention, the count of a UTC day and a day's rollup.
CREATE INDEX events_by_time ON events (epoch, timestamp, uuid);
-- ListEvents of one name and a re-map of one name.
CREATE INDEX events_by_name ON events (epoch, left(event, 500), timestamp, uuid);
-- ListMappedEvents; holds only the few events that feed a stage.
CREATE INDEX events_by_stage ON events (epoch, stage, timestamp, uuid) WHERE stage IS NOT NULL;
-- Events of a distinct id, its identity facts recomputed, and the distinct ids that came in
-- since a moment long ago.
CREATE INDEX events_by_distinct_id ON events (epoch, left(distinct_id, 500), timestamp, created_at);
-- Followers. Its keys only grow, so it costs next to nothing.
CREATE INDEX events_by_change ON events (epoch, change_seq);
-- The distinct ids that came in since a moment not long ago: rows lie in the table roughly as
-- they arrived, and an index of ranges of it costs nothing.
CREATE INDEX events_by_arrival ON events USING brin (created_at) WITH (pages_per_range = 32);

-- What followers must forget. A tombstone stays when its event comes back, below the event's
-- newer number; `timestamp` lets retention remove it.
CREATE TABLE event_deletions (
    epoch      bigint NOT NULL,
    uuid       uuid NOT NULL,
    timestamp  bigint NOT NULL,
    change_seq bigint NOT NULL,
    PRIMARY KEY (epoch, uuid)
);
CREATE INDEX event_deletions_by_change ON event_deletions (epoch, change_seq);

CREATE TABLE daily_event_counts (
    epoch  bigint NOT NULL,
    rollup bigint NOT NULL,
    day    bigint NOT NULL,
    event  text COLLATE "C" NOT NULL,
    events bigint NOT NULL
);
CREATE UNIQUE INDEX daily_event_counts_once ON daily_event_counts
    (epoch, rollup, day, left(event, 500), hashtextextended(event, 0));

CREATE TABLE daily_stage_counts (
    epoch  bigint NOT NULL,
    rollup bigint NOT NULL,
    day    bigint NOT NULL,
    stage  smallint NOT NULL,
    event  text COLLATE "C" NOT NULL,
    events bigint NOT NULL
);
CREATE UNIQUE INDEX daily_stage_counts_once ON daily_stage_counts
    (epoch, rollup, day, stage, left(event, 500), hashtextextended(event, 0));

CREATE TABLE event_definitions (
    epoch        bigint NOT NULL,
    name         text COLLATE "C" NOT NULL,
    created_at   bigint,
    last_seen_at bigint
);
CREATE UNIQUE INDEX event_definitions_once ON event_definitions
    (epoch, left(name, 500), hashtextextended(name, 0));

-- Which ids a distinct id's events carried: exact under replacement and removal. The empty
-- property stands for the distinct id's own form. What kind a property names is looked up when
-- read, so that a changed configuration needs no rewrite. Ids that are too long for an index are
-- junk (`domain::identity::is_junk_id`) and never come here.
CREATE TABLE identity_facts (
    epoch       bigint NOT NULL,
    distinct_id text COLLATE "C" NOT NULL,
    property    text COLLATE "C" NOT NULL,
    value       text COLLATE "C" NOT NULL,
    events      bigint NOT NULL,
    first_seen  bigint NOT NULL,
    last_seen   bigint NOT NULL,
    PRIMARY KEY (epoch, distinct_id, property, value)
) WITH (fillfactor = 80); -- Counts move often, no key does: with room in its page a row stays there.
CREATE INDEX identity_facts_by_value ON identity_facts (epoch, value, property, distinct_id);

-- Which person PostHog gave a distinct id, and when that was observed to begin and end.
CREATE TABLE person_links (
    link        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch       bigint NOT NULL,
    distinct_id text COLLATE "C" NOT NULL,
    person_id   uuid NOT NULL,
    valid_from  bigint NOT NULL,
    valid_to    bigint,
    last_seen   bigint NOT NULL,
    change_seq  bigint NOT NULL
);
CREATE UNIQUE INDEX person_links_current ON person_links
    (epoch, left(distinct_id, 500), hashtextextended(distinct_id, 0)) WHERE valid_to IS NULL;
CREATE INDEX person_links_of_person ON person_links (epoch, person_id) WHERE valid_to IS NULL;
CREATE INDEX person_links_in_order ON person_links (epoch, left(distinct_id, 500));

-- One holder at a time; the fence is unique over all connections and all time, so that the
-- lease of a purged epoch cannot match that of its successor.
CREATE SEQUENCE fences AS bigint;
CREATE TABLE leases (
    epoch      bigint PRIMARY KEY,
    fence      bigint NOT NULL,
    holder     text NOT NULL,
    expires_at bigint NOT NULL
);

CREATE TABLE runs (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid NOT NULL UNIQUE,
    epoch           bigint NOT NULL,
    mode            text NOT NULL,
    window_from     bigint NOT NULL,
    window_to       bigint NOT NULL,
    arrivals_from   bigint,
    arrivals_since  bigint,
    started_at      bigint NOT NULL,
    ended_at        bigint,
    -- Absent in a run that ended complete.
    failure_reason  text,
    failure_message text,
    events_read     bigint NOT NULL DEFAULT 0,
    events_stored   bigint NOT NULL DEFAULT 0,
    events_updated  bigint NOT NULL DEFAULT 0,
    duplicates      bigint NOT NULL DEFAULT 0,
    late_events     bigint NOT NULL DEFAULT 0,
    events_removed  bigint NOT NULL DEFAULT 0,
    requests        bigint NOT NULL DEFAULT 0,
    bytes_received  bigint NOT NULL DEFAULT 0,
    bytes_read      bigint NOT NULL DEFAULT 0,
    -- Written when the run ends, for its slices are removed then.
    slices_done     bigint NOT NULL DEFAULT 0,
    slices_planned  bigint NOT NULL DEFAULT 0,
    progress        double precision NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_start ON runs (epoch, started_at, number);

CREATE TABLE slices (
    run              bigint NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    number           bigint NOT NULL,
    -- The order in which slices are read, as text: a part's place begins with its parent's.
    place            text COLLATE "C" NOT NULL,
    spec             text NOT NULL,
    expected_rows    bigint NOT NULL,
    rows_read        bigint NOT NULL DEFAULT 0,
    cursor_timestamp bigint,
    cursor_uuid      uuid,
    done             boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run, number)
);

CREATE TABLE day_verdicts (
    epoch      bigint NOT NULL,
    day        bigint NOT NULL,
    remote     bigint NOT NULL,
    local      bigint NOT NULL,
    verdict    text NOT NULL,
    repulls    bigint NOT NULL,
    counted_at bigint NOT NULL,
    PRIMARY KEY (epoch, day)
);

-- Whoever asks for a request locks the project's row first.
CREATE TABLE budgets (
    host         text COLLATE "C" NOT NULL,
    project_id   bigint NOT NULL,
    paused_until bigint,
    PRIMARY KEY (host, project_id)
);

-- Requests of the last hour, one row each: both windows roll exactly.
CREATE TABLE budget_requests (
    host       text COLLATE "C" NOT NULL,
    project_id bigint NOT NULL,
    at         bigint NOT NULL
);
CREATE INDEX budget_requests_by_time ON budget_requests (host, project_id, at);

CREATE TABLE budget_slots (
    slot       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host       text COLLATE "C" NOT NULL,
    project_id bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX budget_slots_by_key ON budget_slots (host, project_id, expires_at);

CREATE TABLE page_token_keys (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key    bytea NOT NULL
);
