-- By which way a backfill reads, and why, as JSON; null in a refresh, and in what was begun before.
ALTER TABLE runs ADD COLUMN way TEXT;
