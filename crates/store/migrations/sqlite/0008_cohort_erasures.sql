-- Erasures reach cohorts. An erased person's stays are removed, and by this number, of the sequence of
-- changes of members, followers are told that it is in no cohort any more; null where it never was.
ALTER TABLE erased_persons ADD COLUMN cohort_seq INTEGER;
CREATE INDEX erased_persons_by_change ON erased_persons (epoch, cohort_seq) WHERE cohort_seq IS NOT NULL;

-- The stays of a person that have ended. Those that last are found in each cohort's members.
CREATE INDEX cohort_members_left_of_person ON cohort_members (epoch, person_id) WHERE left_seq IS NOT NULL;
-- Whose a person was that PostHog merged into another: by its ended links.
CREATE INDEX person_links_ended ON person_links (epoch, person_id) WHERE valid_to IS NOT NULL;

-- The stays of whom earlier versions erased. Digests of buckets stay as PostHog has them.
UPDATE erased_persons SET cohort_seq = h.latest + n.place
FROM (SELECT epoch, person_id, row_number() OVER (PARTITION BY epoch ORDER BY person_id) AS place
      FROM (SELECT DISTINCT epoch, person_id FROM cohort_members JOIN erased_persons USING (epoch, person_id))) AS n
JOIN cohort_histories AS h ON h.epoch = n.epoch
WHERE erased_persons.epoch = n.epoch AND erased_persons.person_id = n.person_id;
UPDATE cohort_histories SET latest = e.latest
FROM (SELECT epoch, max(cohort_seq) AS latest FROM erased_persons GROUP BY epoch) AS e
WHERE e.epoch = cohort_histories.epoch AND e.latest IS NOT NULL;
UPDATE cohorts SET members = members - g.gone
FROM (SELECT epoch, cohort, count(*) AS gone FROM cohort_members JOIN erased_persons USING (epoch, person_id)
      WHERE left_seq IS NULL GROUP BY epoch, cohort) AS g
WHERE g.epoch = cohorts.epoch AND g.cohort = cohorts.cohort;
DELETE FROM cohort_members WHERE (epoch, person_id) IN (SELECT epoch, person_id FROM erased_persons);
