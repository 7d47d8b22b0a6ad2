-- What keeps an erased person's data from coming back.

-- Tombstones of the epoch: at 0 no page has to look for one.
ALTER TABLE epochs ADD COLUMN erasures bigint NOT NULL DEFAULT 0;

CREATE TABLE erased_ids (
    epoch       bigint NOT NULL,
    -- HMAC-SHA256 of the epoch and the distinct id, keyed by `erasure_key`.
    hash        bytea NOT NULL,
    -- In the clear until its rows are gone.
    distinct_id text COLLATE "C",
    erased_at   bigint NOT NULL,
    PRIMARY KEY (epoch, hash)
);
CREATE INDEX erased_ids_pending ON erased_ids (epoch) WHERE distinct_id IS NOT NULL;

CREATE TABLE erased_persons (
    epoch     bigint NOT NULL,
    person_id uuid NOT NULL,
    erased_at bigint NOT NULL,
    PRIMARY KEY (epoch, person_id)
);

-- Events that are erased here and that PostHog may still have: a recount must not miss them.
CREATE TABLE erased_events (
    epoch      bigint NOT NULL,
    uuid       uuid NOT NULL,
    timestamp  bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (epoch, uuid)
);
CREATE INDEX erased_events_by_time ON erased_events (epoch, timestamp);

-- One key for the whole database, made at the first erasure.
CREATE TABLE erasure_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    key bytea NOT NULL
);

ALTER TABLE day_verdicts ADD COLUMN erased bigint NOT NULL DEFAULT 0;
