-- Cohorts as PostHog lists them (`listed` is JSON), and which of its states is stored whole.
CREATE TABLE cohorts (
    epoch      bigint NOT NULL,
    cohort     bigint NOT NULL,
    listed     text NOT NULL,
    members    bigint NOT NULL DEFAULT 0,
    read_at    bigint,
    read_mark  text,
    deleted_at bigint,
    PRIMARY KEY (epoch, cohort)
);

-- One row for each time that a person was in a cohort: a member while `left_seq` is null. Both
-- changes are told by it, each by its number in the epoch's sequence of them.
CREATE TABLE cohort_members (
    epoch       bigint NOT NULL,
    entered_seq bigint NOT NULL,
    cohort      bigint NOT NULL,
    -- Which share of the cohort the person is in: it follows from the id, and leads the order of
    -- members, so that a share that changed is read and written alone.
    bucket      smallint NOT NULL,
    person_id   uuid NOT NULL,
    entered_at  bigint NOT NULL,
    left_seq    bigint,
    left_at     bigint,
    PRIMARY KEY (epoch, entered_seq)
);
CREATE UNIQUE INDEX cohort_members_current ON cohort_members
    (epoch, cohort, bucket, person_id) WHERE left_seq IS NULL;
CREATE INDEX cohort_members_left ON cohort_members (epoch, left_seq) WHERE left_seq IS NOT NULL;

-- What tells whether a share of a cohort is the same in PostHog: the number of its members and their
-- hashes, each exclusive-or the others. A share without members has no row.
CREATE TABLE cohort_buckets (
    epoch   bigint NOT NULL,
    cohort  bigint NOT NULL,
    bucket  smallint NOT NULL,
    members bigint NOT NULL,
    hash    bigint NOT NULL,
    PRIMARY KEY (epoch, cohort, bucket)
);

-- The number of the latest change of members, and the greatest that retention removed.
CREATE TABLE cohort_histories (
    epoch     bigint PRIMARY KEY,
    latest    bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0
);
