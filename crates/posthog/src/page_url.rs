//! The host and path of the page on which an event happened.

/// Host and path: of `$current_url` where it has them, else `$host` and `$pathname`. The path is
/// without query and fragment and otherwise as sent.
pub(crate) fn page_of(
    current_url: Option<&str>,
    host: Option<&str>,
    pathname: Option<&str>,
) -> (Option<String>, Option<String>) {
    let (url_host, url_path) = current_url.map_or((None, None), split);
    let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let host = url_host.and_then(own).or_else(|| host.and_then(own));
    let path = url_path
        .and_then(own)
        .or_else(|| pathname.map(before_query).and_then(own));
    (host, path)
}

/// Host (with a port, if any) and path of an absolute URL, or the path of one that begins with a slash.
fn split(url: &str) -> (Option<&str>, Option<&str>) {
    let url = before_query(url.trim());
    if let Some((scheme, rest)) = url.split_once("://")
        && !scheme.contains('/')
    {
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        return (Some(host), Some(path));
    }
    (None, url.starts_with('/').then_some(url))
}

fn before_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: Option<&str>, host: Option<&str>, path: Option<&str>) -> String {
        let (host, path) = page_of(url, host, path);
        format!(
            "{} {}",
            host.as_deref().unwrap_or("-"),
            path.as_deref().unwrap_or("-")
        )
    }

    #[test]
    fn the_url_leads_and_host_and_pathname_fill_in() {
        let url = Some("https://shop.example:8443/fr/products/red%20shirt/?variant=1#top");
        assert_eq!(
            page(url, Some("x"), Some("/y")),
            "shop.example:8443 /fr/products/red%20shirt/"
        );
        assert_eq!(
            page(None, Some("shop.example"), Some("/cart?a=1")),
            "shop.example /cart"
        );
        assert_eq!(
            page(Some("/only/path?x"), Some("shop.example"), None),
            "shop.example /only/path"
        );
        assert_eq!(
            page(Some("https://shop.example"), None, None),
            "shop.example /"
        );
        assert_eq!(page(Some("about:blank"), None, None), "- -");
        assert_eq!(page(None, None, None), "- -");
    }
}
