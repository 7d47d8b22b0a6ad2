-- Facts that went, or that are said at other times, because an event went or changed: what followers
-- of links cannot tell from the events that are there, and nothing else, so that storing new events
-- costs nothing more. `change_seq` is of the events' sequence; whether the fact is still there, and how,
-- is looked up. Rows older than the retention are removed, and `facts_known_from` says up to which.
CREATE TABLE identity_fact_changes (
    epoch       bigint NOT NULL,
    distinct_id text COLLATE "C" NOT NULL,
    property    text COLLATE "C" NOT NULL,
    value       text COLLATE "C" NOT NULL,
    change_seq  bigint NOT NULL,
    changed_at  bigint NOT NULL,
    PRIMARY KEY (epoch, distinct_id, property, value)
);
CREATE INDEX identity_fact_changes_by_change ON identity_fact_changes (epoch, change_seq);

ALTER TABLE epochs ADD COLUMN facts_known_from bigint NOT NULL DEFAULT 0;
-- Until now nothing was noted of facts that went.
UPDATE epochs SET facts_known_from = change_seq;

-- Merges that events ask PostHog for are facts too, under properties that nobody can name. Those of
-- events stored so far, but for ids that name nobody (`domain::identity::is_junk_id`).
INSERT INTO identity_facts (epoch, distinct_id, property, value, events, first_seen, last_seen)
SELECT epoch, distinct_id, property, value, count(*), min(timestamp), max(timestamp)
FROM (
    SELECT epoch, distinct_id, timestamp,
        CASE event WHEN '$identify' THEN E'\x01$identify' ELSE E'\x01alias' END AS property,
        CASE event WHEN '$identify' THEN anon_distinct_id ELSE alias END AS value
    FROM events WHERE event IN ('$identify', '$create_alias', '$merge_dangerously')
) AS asked
WHERE value <> distinct_id AND NOT EXISTS (
    SELECT 1 FROM (VALUES (distinct_id), (value)) AS ids (id)
    WHERE octet_length(id) > 500 OR btrim(id, E'0-. \t\r\n"''') = ''
        OR lower(btrim(id, E' \t\r\n"''')) IN ('anonymous', 'guest', 'id', 'email', 'e-mail', 'distinctid', 'distinct_id', 'undefined',
        'true', 'false', '[object object]', 'nan', 'none', 'null', 'nil', 'not_authenticated',
        'unknown', 'n/a', '[]', '{}', '<nil>', '(null)', 'user_id', 'customer_id'))
GROUP BY 1, 2, 3, 4;
-- Merges asked for are looked for from both of their ends.
CREATE INDEX identity_facts_merged ON identity_facts (epoch, value)
    WHERE property IN (E'\x01$identify', E'\x01alias');
