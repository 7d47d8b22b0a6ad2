-- Persons that may be several customers. Complete where `conflicts_known`; whoever is none any more may
-- still be among them.
CREATE TABLE identity_conflicts (
    epoch     bigint NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (epoch, person_id)
);

-- Whether they are kept: not before a run has looked for them among all links, which it does when this
-- is false. Of an epoch without links there is none.
ALTER TABLE epochs ADD COLUMN conflicts_known boolean NOT NULL DEFAULT true;
UPDATE epochs SET conflicts_known = false;
