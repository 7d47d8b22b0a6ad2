-- Requests that no window counts any more, of whatever project: one that is not asked again forgets none
-- of its own.
CREATE INDEX budget_requests_by_age ON budget_requests (at);
