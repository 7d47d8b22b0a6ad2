//! Clickmaps as a naive count of the events makes them.

use super::*;

/// The clickmap of each day that has clicks, made of all events.
fn days(oracle: &Oracle, policy: &ClickmapPolicy) -> Vec<DayClickmap> {
    let Some(rules) = policy.rules() else {
        return Vec::new();
    };
    let zone = time_zone(oracle.zone.as_deref().unwrap_or("UTC")).unwrap();
    let mut clicks: Vec<ClickEvent> = oracle
        .rows
        .values()
        .filter(|event| is_click_event(&event.event))
        .map(ClickEvent::from)
        .collect();
    clicks.sort_by_key(|click| (click.timestamp, click.uuid));
    let mut days: Vec<Date> = clicks
        .iter()
        .map(|click| day_of(click.timestamp, &zone))
        .collect();
    days.dedup();
    days.into_iter()
        .map(|day| {
            let (from, to) = day_bounds(day, &zone);
            let mut made = DayOfClicks::new(rules, from, to);
            let (from, to) = made.span();
            clicks
                .iter()
                .filter(|click| from <= click.timestamp && click.timestamp < to)
                .for_each(|click| made.add(click));
            made.finish()
        })
        .collect()
}

pub(super) fn naive(oracle: &Oracle, policy: &ClickmapPolicy) -> Answer {
    let days = days(oracle, policy);
    let mut answer = Answer::new();
    for (number, span) in spans().into_iter().enumerate() {
        let asked = |device| span.devices.is_empty() || span.devices.contains(&device);
        for row in days
            .iter()
            .flat_map(|day| &day.pages)
            .filter(|row| asked(row.device))
        {
            let page = row.page.as_str().to_owned();
            let nobody = ClickedPage {
                page: page.clone(),
                counts: ClickCounts::default(),
                unparsed: 0,
            };
            let total = answer.entry((number, page)).or_insert((nobody, Vec::new()));
            total.0.counts += row.counts;
            total.0.unparsed += row.unparsed;
        }
        let mut counts: BTreeMap<(&str, Uuid), (ClickCounts, &ClickedElement)> = BTreeMap::new();
        for day in &days {
            for row in day.elements.iter().filter(|row| asked(row.device)) {
                let mut labels = day.labels.iter();
                let label = labels.find(|it| (&it.page, it.element) == (&row.page, row.element));
                let label = &label.unwrap().label;
                let key = (row.page.as_str(), row.element.0);
                let counted = counts.entry(key).or_insert((ClickCounts::default(), label));
                counted.0 += row.counts;
                counted.1 = label;
            }
        }
        for ((page, element), (counts, label)) in counts {
            let text =
                |text: &Option<MaskedText<'_>>| text.as_ref().map(|text| text.as_str().to_owned());
            let rows = &mut answer.get_mut(&(number, page.to_owned())).unwrap().1;
            rows.push(ClickedElementRow {
                place: ElementPlace {
                    clicks: counts.clicks,
                    element,
                },
                counts,
                selector: label.selector.as_str().to_owned(),
                basis: label.selector.basis(),
                tag: text(&label.tag),
                text: text(&label.text),
                href: text(&label.href),
            });
            rows.sort_by_key(|row| (std::cmp::Reverse(row.place.clicks), row.place.element));
        }
    }
    answer
}
