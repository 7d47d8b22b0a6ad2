-- A read of all person mappings that is under way: when it began, the last link up to the place that it
-- has reached, and until when it is left alone. A link and not its distinct id, so that an erasure need
-- not look here.
ALTER TABLE epochs ADD COLUMN persons_began_at INTEGER;
ALTER TABLE epochs ADD COLUMN persons_reached INTEGER;
ALTER TABLE epochs ADD COLUMN persons_paused_until INTEGER;
