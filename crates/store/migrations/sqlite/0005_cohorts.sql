-- Cohorts as PostHog lists them (`listed` is JSON), and which of its states is stored whole.
CREATE TABLE cohorts (
    epoch      INTEGER NOT NULL,
    cohort     INTEGER NOT NULL,
    listed     TEXT NOT NULL,
    members    INTEGER NOT NULL DEFAULT 0,
    read_at    INTEGER,
    read_mark  TEXT,
    deleted_at INTEGER,
    PRIMARY KEY (epoch, cohort)
) STRICT, WITHOUT ROWID;

-- One row for each time that a person was in a cohort: a member while `left_seq` is null. Both
-- changes are told by it, each by its number in the epoch's sequence of them.
CREATE TABLE cohort_members (
    epoch       INTEGER NOT NULL,
    entered_seq INTEGER NOT NULL,
    cohort      INTEGER NOT NULL,
    -- Which share of the cohort the person is in: it follows from the id, and leads the order of
    -- members, so that a share that changed is read and written alone.
    bucket      INTEGER NOT NULL,
    person_id   BLOB NOT NULL,
    entered_at  INTEGER NOT NULL,
    left_seq    INTEGER,
    left_at     INTEGER,
    PRIMARY KEY (epoch, entered_seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX cohort_members_current ON cohort_members
    (epoch, cohort, bucket, person_id) WHERE left_seq IS NULL;
CREATE INDEX cohort_members_left ON cohort_members (epoch, left_seq) WHERE left_seq IS NOT NULL;

-- What tells whether a share of a cohort is the same in PostHog: the number of its members and their
-- hashes, each exclusive-or the others. A share without members has no row.
CREATE TABLE cohort_buckets (
    epoch   INTEGER NOT NULL,
    cohort  INTEGER NOT NULL,
    bucket  INTEGER NOT NULL,
    members INTEGER NOT NULL,
    hash    INTEGER NOT NULL,
    PRIMARY KEY (epoch, cohort, bucket)
) STRICT, WITHOUT ROWID;

-- The number of the latest change of members, and the greatest that retention removed.
CREATE TABLE cohort_histories (
    epoch     INTEGER PRIMARY KEY,
    latest    INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0
) STRICT;
