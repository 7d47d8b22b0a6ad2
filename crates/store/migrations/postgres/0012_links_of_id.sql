-- One index of links by their distinct id instead of two: of the links that hold it has one an id, as the
-- index of current links had, and those that have ended stand beside them, so that it tells all in order.
-- A project's first read writes each index for each of its distinct ids.
CREATE UNIQUE INDEX person_links_of_id ON person_links
    (epoch, left(distinct_id, 500), hashtextextended(distinct_id, 0), (CASE WHEN valid_to IS NULL THEN 0 ELSE link END));
DROP INDEX person_links_current;
DROP INDEX person_links_in_order;
