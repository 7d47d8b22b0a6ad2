-- Erasures reach cohorts. An erased person's stays are removed, and by this number, of the sequence of
-- changes of members, followers are told that it is in no cohort any more; null where it never was.
ALTER TABLE erased_persons ADD COLUMN cohort_seq bigint;
CREATE INDEX erased_persons_by_change ON erased_persons (epoch, cohort_seq) WHERE cohort_seq IS NOT NULL;

-- The stays of a person that have ended. Those that last are found in each cohort's members.
CREATE INDEX cohort_members_left_of_person ON cohort_members (epoch, person_id) WHERE left_seq IS NOT NULL;
-- Whose a person was that PostHog merged into another: by its ended links.
CREATE INDEX person_links_ended ON person_links (epoch, person_id) WHERE valid_to IS NOT NULL;

-- The stays of whom earlier versions erased. Digests of buckets stay as PostHog has them.
UPDATE erased_persons AS e SET cohort_seq = h.latest + n.place
FROM (SELECT epoch, person_id, row_number() OVER (PARTITION BY epoch ORDER BY person_id) AS place
      FROM (SELECT DISTINCT epoch, person_id FROM cohort_members JOIN erased_persons USING (epoch, person_id)) AS stayed) AS n
JOIN cohort_histories AS h ON h.epoch = n.epoch
WHERE e.epoch = n.epoch AND e.person_id = n.person_id;
UPDATE cohort_histories AS h SET latest = e.latest
FROM (SELECT epoch, max(cohort_seq) AS latest FROM erased_persons GROUP BY epoch) AS e
WHERE e.epoch = h.epoch AND e.latest IS NOT NULL;
UPDATE cohorts AS c SET members = c.members - g.members
FROM (SELECT epoch, cohort, count(*) AS members FROM cohort_members JOIN erased_persons USING (epoch, person_id)
      WHERE left_seq IS NULL GROUP BY epoch, cohort) AS g
WHERE g.epoch = c.epoch AND g.cohort = c.cohort;
DELETE FROM cohort_members AS m USING erased_persons AS e
WHERE e.epoch = m.epoch AND e.person_id = m.person_id;
