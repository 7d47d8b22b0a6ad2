-- Each element's clicks of a day on all devices, as rows of device -1: whoever does not ask for devices
-- reads these alone, and they lie together.
ALTER TABLE clickmap_elements RENAME TO clickmap_elements_by_day;
CREATE TABLE clickmap_elements (
    epoch    INTEGER NOT NULL,
    clickmap INTEGER NOT NULL,
    page     TEXT NOT NULL,
    device   INTEGER NOT NULL,
    day      INTEGER NOT NULL,
    element  BLOB NOT NULL,
    clicks   INTEGER NOT NULL,
    rage     INTEGER NOT NULL,
    dead     INTEGER NOT NULL,
    PRIMARY KEY (epoch, clickmap, page, device, day, element)
) STRICT, WITHOUT ROWID;
INSERT INTO clickmap_elements (epoch, clickmap, page, device, day, element, clicks, rage, dead)
SELECT epoch, clickmap, page, device, day, element, clicks, rage, dead FROM clickmap_elements_by_day
UNION ALL
SELECT epoch, clickmap, page, -1, day, element, sum(clicks), sum(rage), sum(dead)
FROM clickmap_elements_by_day GROUP BY epoch, clickmap, page, day, element;
DROP TABLE clickmap_elements_by_day;
