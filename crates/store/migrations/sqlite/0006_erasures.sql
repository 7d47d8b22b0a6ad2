-- What keeps an erased person's data from coming back.

-- Tombstones of the epoch: at 0 no page has to look for one.
ALTER TABLE epochs ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;

CREATE TABLE erased_ids (
    epoch       INTEGER NOT NULL,
    -- HMAC-SHA256 of the epoch and the distinct id, keyed by `erasure_key`.
    hash        BLOB NOT NULL,
    -- In the clear until its rows are gone.
    distinct_id TEXT,
    erased_at   INTEGER NOT NULL,
    PRIMARY KEY (epoch, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_ids_pending ON erased_ids (epoch) WHERE distinct_id IS NOT NULL;

CREATE TABLE erased_persons (
    epoch     INTEGER NOT NULL,
    person_id BLOB NOT NULL,
    erased_at INTEGER NOT NULL,
    PRIMARY KEY (epoch, person_id)
) STRICT, WITHOUT ROWID;

-- Events that are erased here and that PostHog may still have: a recount must not miss them.
CREATE TABLE erased_events (
    epoch      INTEGER NOT NULL,
    uuid       BLOB NOT NULL,
    timestamp  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (epoch, uuid)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_events_by_time ON erased_events (epoch, timestamp);

-- One key for the whole database, made at the first erasure.
CREATE TABLE erasure_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL
) STRICT;

ALTER TABLE day_verdicts ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
