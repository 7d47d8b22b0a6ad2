-- Persons that may be several customers. Complete where `conflicts_known`; whoever is none any more may
-- still be among them.
CREATE TABLE identity_conflicts (
    epoch     INTEGER NOT NULL,
    person_id BLOB NOT NULL,
    PRIMARY KEY (epoch, person_id)
) STRICT, WITHOUT ROWID;

-- Whether they are kept: not before a run has looked for them among all links, which it does when this
-- is false. Of an epoch without links there is none.
ALTER TABLE epochs ADD COLUMN conflicts_known INTEGER NOT NULL DEFAULT 1;
UPDATE epochs SET conflicts_known = 0;
