-- When a deleted connection's rows are due to go; null while it lives and where they stay.
ALTER TABLE connections ADD COLUMN purge_at INTEGER;
CREATE INDEX connections_by_purge ON connections (purge_at) WHERE purge_at IS NOT NULL;

-- Whose an epoch is: its id is a hash of that, which cannot be read back. Of earlier epochs than
-- those that a connection asks for and answers from, the owner was never kept.
ALTER TABLE epochs ADD COLUMN namespace TEXT;
ALTER TABLE epochs ADD COLUMN name TEXT;
UPDATE epochs SET (namespace, name) = (
    SELECT namespace, name FROM connections WHERE epochs.id IN (target, serving));
CREATE INDEX epochs_by_connection ON epochs (namespace, name);

-- Its rows are being removed. Its id is none of a connection any more, so that nobody finds it.
ALTER TABLE epochs ADD COLUMN condemned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX epochs_condemned ON epochs (namespace, name) WHERE condemned;
