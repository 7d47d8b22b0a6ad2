-- Each element's clicks of a day on all devices, as rows of device -1: whoever does not ask for devices
-- reads these alone, and they lie together.
ALTER TABLE clickmap_elements
    DROP CONSTRAINT clickmap_elements_pkey,
    ADD PRIMARY KEY (epoch, clickmap, page, device, day, element) INCLUDE (clicks, rage, dead);

INSERT INTO clickmap_elements (epoch, clickmap, page, device, day, element, clicks, rage, dead)
SELECT epoch, clickmap, page, -1, day, element, sum(clicks), sum(rage), sum(dead)
FROM clickmap_elements
GROUP BY epoch, clickmap, page, day, element;
