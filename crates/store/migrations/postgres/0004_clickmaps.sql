-- `$event_type` of autocapture's events. Those stored before have none, and count as clicks.
ALTER TABLE events ADD COLUMN event_type text;

-- Clickmaps are made of the stored clicks, a day at a time. Those of other rules, or of the days of
-- another time zone, are built beside those in force: `clickmap` is the number of these.
ALTER TABLE epochs
    ADD COLUMN clickmap bigint NOT NULL DEFAULT 0,
    ADD COLUMN clickmap_rules text,
    ADD COLUMN clickmap_time_zone text;

-- Days on which clicks came, went or changed since their clickmaps were made. Whoever makes a day
-- anew takes it off only if `changes` is still what it was before reading.
CREATE TABLE clickmap_days_due (
    epoch   bigint NOT NULL,
    day     bigint NOT NULL,
    changes bigint NOT NULL,
    PRIMARY KEY (epoch, day)
);

CREATE TABLE clickmap_pages (
    epoch    bigint NOT NULL,
    clickmap bigint NOT NULL,
    day      bigint NOT NULL,
    page     text COLLATE "C" NOT NULL, -- at most 512 bytes
    device   smallint NOT NULL,
    clicks   bigint NOT NULL,
    rage     bigint NOT NULL,
    dead     bigint NOT NULL,
    unparsed bigint NOT NULL,
    PRIMARY KEY (epoch, clickmap, day, page, device)
);
-- The total of one page.
CREATE INDEX clickmap_pages_of_page ON clickmap_pages (epoch, clickmap, page, day);

-- One page's elements over days, read from the index alone.
CREATE TABLE clickmap_elements (
    epoch    bigint NOT NULL,
    clickmap bigint NOT NULL,
    page     text COLLATE "C" NOT NULL,
    day      bigint NOT NULL,
    element  uuid NOT NULL,
    device   smallint NOT NULL,
    clicks   bigint NOT NULL,
    rage     bigint NOT NULL,
    dead     bigint NOT NULL,
    PRIMARY KEY (epoch, clickmap, page, day, element, device) INCLUDE (clicks, rage, dead)
);

-- How an element looked at the last click of a day; masked.
CREATE TABLE clickmap_labels (
    epoch    bigint NOT NULL,
    clickmap bigint NOT NULL,
    page     text COLLATE "C" NOT NULL,
    element  uuid NOT NULL,
    day      bigint NOT NULL,
    selector text NOT NULL,
    basis    text NOT NULL,
    tag      text,
    text     text,
    href     text,
    PRIMARY KEY (epoch, clickmap, page, element, day)
);
-- Labels go with their day.
CREATE INDEX clickmap_labels_by_day ON clickmap_labels (epoch, clickmap, day);

-- The events of a session: few enough to be put in order, so that the index has one entry for many
-- events.
CREATE INDEX events_by_session ON events (epoch, left(session_id, 500)) WHERE session_id IS NOT NULL;
