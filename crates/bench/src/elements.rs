//! Elements chains read by one core: whole, beside the regular expressions of PostHog's own reader.

use std::hint::black_box;
use std::time::{Duration, Instant};

use domain::elements::{ClickedElement, DataAttributes, ElementsChain};
use domain::masking::MaskedText;
use regex::Regex;

use crate::{Outcome, figures};

/// More than the caches hold that are nearest.
const CHAINS: usize = 8192;

/// How long one turn of a way takes at least.
const TURN: Duration = Duration::from_millis(300);

/// Reads the same chains in each way, `rounds` times in turn.
pub(crate) fn elements(rounds: usize) -> Outcome<()> {
    let chains: Vec<String> = (0..CHAINS).map(chain).collect();
    let bytes: usize = chains.iter().map(String::len).sum();
    let expressions = Expressions::new()?;
    let names = DataAttributes::default();
    let (mut read, mut kept, mut masked, mut naive) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        read.push(rate(&chains, |chain| {
            ElementsChain::parse(chain).is_ok_and(|chain| black_box(chain).elements().len() == 6)
        })?);
        kept.push(rate(&chains, |chain| {
            let chain = ElementsChain::parse(chain).ok();
            let clicked = chain.and_then(|chain| ClickedElement::of(&chain, &names));
            black_box(clicked).is_some()
        })?);
        masked.push(rate(&chains, |chain| {
            black_box(MaskedText::new(chain)).as_str().len() == chain.len()
        })?);
        naive.push(rate(&chains, |chain| {
            black_box(expressions.read(chain)).len() == 6
        })?);
    }
    figures::title(&format!(
        "elements chains of {} bytes and 6 elements, on one core",
        bytes / CHAINS
    ));
    figures::line("read whole", &megabytes(&read));
    figures::line(
        "with the clicked element, its selector and texts",
        &megabytes(&kept),
    );
    figures::line("masking the chain's text", &megabytes(&masked));
    figures::line("PostHog's regular expressions", &megabytes(&naive));
    figures::line(
        "read whole, to the regular expressions",
        &figures::ratios(&read, &naive),
    );
    Ok(())
}

/// Bytes a second of the thread's own time. All chains must pass.
fn rate(chains: &[String], read: impl Fn(&str) -> bool) -> Outcome<f64> {
    let (start, begun) = (Instant::now(), on_cpu());
    let mut bytes = 0;
    while start.elapsed() < TURN {
        for chain in chains {
            if !read(chain) {
                return Err(format!("not read: {chain}").into());
            }
            bytes += chain.len();
        }
    }
    let spent = begun.zip(on_cpu()).map(|(begun, now)| now - begun);
    Ok(figures::rate(
        bytes,
        spent.unwrap_or_else(|| start.elapsed()),
    ))
}

/// How long this thread has run, without what it waited for a core; known on Linux alone.
fn on_cpu() -> Option<Duration> {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = figures.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn megabytes(rates: &[f64]) -> String {
    format!("{:.0} MB/s", figures::median(rates).unwrap_or(0.0) / 1e6)
}

/// A click on a button of a theme's product page.
fn chain(place: usize) -> String {
    let text = [
        "Add to cart",
        "In den Warenkorb",
        "Buy it \\\"now\\\"",
        "Sold out",
    ][place % 4];
    let card = place % 12 + 1;
    format!(
        "button.button.button--full-width.product-form__submit:attr__class=\"product-form__submit button button--full-width\"attr__name=\"add\"attr__type=\"submit\"nth-child=\"{card}\"nth-of-type=\"1\"text=\"{text}\";\
         div.product-form__buttons:attr__class=\"product-form__buttons\"nth-child=\"2\"nth-of-type=\"1\";\
         form.form:attr__action=\"/cart/add\"attr__id=\"product-form-{place}\"attr__method=\"post\"attr_id=\"product-form-{place}\"nth-child=\"2\"nth-of-type=\"1\";\
         li.grid__item:nth-child=\"{card}\"nth-of-type=\"{card}\";\
         main:attr__id=\"MainContent\"attr_id=\"MainContent\"nth-child=\"5\"nth-of-type=\"1\";\
         body.gradient:attr__class=\"gradient\"nth-child=\"2\"nth-of-type=\"1\""
    )
}

/// The expressions of `posthog/models/element/element.py`.
struct Expressions {
    elements: Regex,
    header: Regex,
    pairs: Regex,
}

/// Tag and classes, then the pairs, of an element.
type Found<'a> = (&'a str, Vec<(&'a str, &'a str)>);

impl Expressions {
    fn new() -> Outcome<Self> {
        Ok(Self {
            elements: Regex::new(r#"(?:[^\s;"]|"(?:\\.|[^"])*")+"#)?,
            header: Regex::new(r"(.*?)($|:([a-zA-Z\-_0-9]*=.*))")?,
            pairs: Regex::new(r#"(.*?)="((?:[^"\\]|\\.)*)""#)?,
        })
    }

    fn read<'a>(&self, chain: &'a str) -> Vec<Found<'a>> {
        let element = |element: regex::Match<'a>| {
            let header = self.header.captures(element.as_str())?;
            let attributes = header.get(3).map_or("", |found| found.as_str());
            let pairs = self.pairs.captures_iter(attributes);
            let pairs =
                pairs.filter_map(|pair| Some((pair.get(1)?.as_str(), pair.get(2)?.as_str())));
            Some((header.get(1)?.as_str(), pairs.collect()))
        };
        self.elements.find_iter(chain).filter_map(element).collect()
    }
}
