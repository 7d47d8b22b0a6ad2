//! On which page an event happened, from what the sender said of it.

/// Host and path of a page: those of `$current_url` where it has them, else `$host` and
/// `$pathname`. The host keeps its port; the path begins with a slash, has neither query nor
/// fragment and is otherwise as sent. Junk gives `None`; no text panics.
pub fn page_of(
    current_url: Option<&str>,
    host: Option<&str>,
    pathname: Option<&str>,
) -> (Option<String>, Option<String>) {
    let (url_host, url_path) = current_url.map_or((None, None), split);
    let host = url_host.or_else(|| {
        host.map(str::trim).filter(|host| {
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/')
        })
    });
    let path = url_path.or_else(|| pathname.and_then(|path| split(path).1));
    (host.map(str::to_owned), path.map(str::to_owned))
}

/// The host and path of a full, protocol-relative or relative URL; `shop.example/x` is none of
/// them, for nothing tells its host from a folder.
fn split(url: &str) -> (Option<&str>, Option<&str>) {
    let url = url.trim().split(['?', '#']).next().unwrap_or_default();
    let after_scheme = match url.split_once("//") {
        Some(("", rest)) => Some(rest),
        Some((scheme, rest)) if scheme.strip_suffix(':').is_some_and(is_scheme) => Some(rest),
        _ => None,
    };
    let Some(rest) = after_scheme else {
        return (None, Some(url).filter(|url| url.starts_with('/')));
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let plain = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    if !plain && rest == authority {
        return (None, None);
    }
    (plain.then_some(host), Some(path))
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}
