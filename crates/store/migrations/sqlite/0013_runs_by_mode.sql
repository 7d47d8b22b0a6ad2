-- The runs of one mode by their start: backfills are few and lie among the refreshes of years.
CREATE INDEX runs_by_mode ON runs (epoch, mode, started_at, number);
-- The open run, of which an epoch has one at most, without a look at those that have ended.
CREATE INDEX runs_open ON runs (epoch, mode, started_at, number) WHERE ended_at IS NULL;
-- Tombstones past retention, which each run looks for.
CREATE INDEX event_deletions_by_time ON event_deletions (epoch, timestamp);
