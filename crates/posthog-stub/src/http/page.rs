//! Limit/offset paging of Django REST framework's list endpoints.

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::request::Request;

/// One page of `items`, with absolute `next` and `previous` URLs that repeat the other parameters.
pub(crate) fn answer(request: &Request, site: &str, items: &[Json]) -> Answer {
    let number = |name: &str| {
        request
            .parameter(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(100);
    let offset = number("offset").unwrap_or(0);
    let end = offset.saturating_add(limit);
    let page: Vec<&Json> = items.iter().skip(offset).take(limit).collect();
    let next = (end < items.len()).then(|| link(request, site, limit, end));
    let previous = (offset > 0).then(|| link(request, site, limit, offset.saturating_sub(limit)));
    Answer::json(
        200,
        &json!({"count": items.len(), "next": next, "previous": previous, "results": page}),
    )
}

fn link(request: &Request, site: &str, limit: usize, offset: usize) -> String {
    let path = request.target.split('?').next().unwrap_or_default();
    let mut parameters = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &request.parameters {
        if name != "limit" && name != "offset" {
            parameters.append_pair(name, value);
        }
    }
    parameters.append_pair("limit", &limit.to_string());
    if offset > 0 {
        parameters.append_pair("offset", &offset.to_string());
    }
    format!("{site}{path}?{}", parameters.finish())
}
