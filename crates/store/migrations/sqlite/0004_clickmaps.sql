-- `$event_type` of autocapture's events. Those stored before have none, and count as clicks.
ALTER TABLE events ADD COLUMN event_type TEXT;

-- Clickmaps are made of the stored clicks, a day at a time. Those of other rules, or of the days of
-- another time zone, are built beside those in force: `clickmap` is the number of these.
ALTER TABLE epochs ADD COLUMN clickmap INTEGER NOT NULL DEFAULT 0;
ALTER TABLE epochs ADD COLUMN clickmap_rules TEXT;
ALTER TABLE epochs ADD COLUMN clickmap_time_zone TEXT;

-- Days on which clicks came, went or changed since their clickmaps were made. Whoever makes a day
-- anew takes it off only if `changes` is still what it was before reading.
CREATE TABLE clickmap_days_due (
    epoch   INTEGER NOT NULL,
    day     INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    PRIMARY KEY (epoch, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE clickmap_pages (
    epoch    INTEGER NOT NULL,
    clickmap INTEGER NOT NULL,
    day      INTEGER NOT NULL,
    page     TEXT NOT NULL,
    device   INTEGER NOT NULL,
    clicks   INTEGER NOT NULL,
    rage     INTEGER NOT NULL,
    dead     INTEGER NOT NULL,
    unparsed INTEGER NOT NULL,
    PRIMARY KEY (epoch, clickmap, day, page, device)
) STRICT, WITHOUT ROWID;
-- The total of one page.
CREATE INDEX clickmap_pages_of_page ON clickmap_pages (epoch, clickmap, page, day);

-- One page's elements over days lie together.
CREATE TABLE clickmap_elements (
    epoch    INTEGER NOT NULL,
    clickmap INTEGER NOT NULL,
    page     TEXT NOT NULL,
    day      INTEGER NOT NULL,
    element  BLOB NOT NULL,
    device   INTEGER NOT NULL,
    clicks   INTEGER NOT NULL,
    rage     INTEGER NOT NULL,
    dead     INTEGER NOT NULL,
    PRIMARY KEY (epoch, clickmap, page, day, element, device)
) STRICT, WITHOUT ROWID;

-- How an element looked at the last click of a day; masked.
CREATE TABLE clickmap_labels (
    epoch    INTEGER NOT NULL,
    clickmap INTEGER NOT NULL,
    page     TEXT NOT NULL,
    element  BLOB NOT NULL,
    day      INTEGER NOT NULL,
    selector TEXT NOT NULL,
    basis    TEXT NOT NULL,
    tag      TEXT,
    text     TEXT,
    href     TEXT,
    PRIMARY KEY (epoch, clickmap, page, element, day)
) STRICT, WITHOUT ROWID;
-- Labels go with their day.
CREATE INDEX clickmap_labels_by_day ON clickmap_labels (epoch, clickmap, day);

-- The events of a session: few enough to be put in order.
CREATE INDEX events_by_session ON events (epoch, session_id) WHERE session_id IS NOT NULL;
