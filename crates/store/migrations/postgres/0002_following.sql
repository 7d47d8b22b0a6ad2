-- Followers of person mappings. Its keys only grow, so it costs next to nothing.
CREATE INDEX person_links_by_change ON person_links (epoch, change_seq);

-- What PostHog's rate limits have told of a project, as JSON: shared by every process, as the budget is.
ALTER TABLE budgets ADD COLUMN throttles text;
