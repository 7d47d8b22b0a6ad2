//! A chain that was read whole: the clicked element first, then its ancestors.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::fault::{BrokenChain, Fault};
use super::header::header_at;
use super::pairs::{Pair, Quoted, pair_at};

/// All elements of an `elements_chain`, as slices of its text.
///
/// The grammar is that of `elementsToString` in posthog-js, which also PostHog's ingestion uses
/// (POSTHOG.md 7.7). PostHog's readers split with regular expressions instead, and read otherwise
/// where that loses something: at a line break in a value, at white space or a semicolon in a class,
/// and at attributes whose name has a colon or a quote (`:class`, `@click`, `"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementsChain<'a> {
    elements: Vec<Element<'a>>,
}

impl<'a> ElementsChain<'a> {
    /// Reads a chain in one pass; an empty text is a chain without elements.
    ///
    /// # Errors
    /// A text that is not a whole chain is refused with the place of its first fault.
    pub fn parse(chain: &'a str) -> Result<Self, BrokenChain> {
        let mut elements = Vec::with_capacity(chain.len() / 128 + 2);
        let mut from = 0;
        while from < chain.len() {
            let (element, end) = Element::parse(chain, from)?;
            elements.push(element);
            if end == chain.len() {
                break;
            }
            // A semicolon, after which another element must stand.
            from = end + 1;
            if from == chain.len() {
                return Err(Fault::EmptyElement.at(from));
            }
        }
        Ok(Self { elements })
    }

    /// The elements, the clicked one first.
    pub fn elements(&self) -> &[Element<'a>] {
        &self.elements
    }
}

/// One element of a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element<'a> {
    tag: &'a str,
    dotted_classes: &'a str,
    pairs: &'a str,
    class: Option<Quoted<'a>>,
    text: Option<Quoted<'a>>,
    href: Option<Quoted<'a>>,
    id: Option<Quoted<'a>>,
    nth_child: Option<Quoted<'a>>,
    nth_of_type: Option<Quoted<'a>>,
}

impl<'a> Element<'a> {
    /// The element that begins at `from`, and where its last value ends.
    fn parse(chain: &'a str, from: usize) -> Result<(Self, usize), BrokenChain> {
        let header = header_at(chain, from)?;
        let mut element = Self {
            tag: header.tag,
            dotted_classes: header.classes,
            ..Self::default()
        };
        let mut end = header.end;
        loop {
            let pair = pair_at(chain, end)?;
            element.take(&pair, end)?;
            end = pair.end;
            if matches!(chain.as_bytes().get(end), None | Some(b';')) {
                break;
            }
        }
        element.pairs = &chain[header.end..end];
        match header.semicolon {
            Some(place) if !element.has_dotted_what_it_has() => Err(Fault::NoAttributes.at(place)),
            _ => Ok((element, end)),
        }
    }

    fn take(&mut self, pair: &Pair<'a>, at: usize) -> Result<(), BrokenChain> {
        let slot = match pair.key {
            "text" => &mut self.text,
            "href" => &mut self.href,
            "attr_id" => &mut self.id,
            "attr__class" => &mut self.class,
            "nth-child" => &mut self.nth_child,
            "nth-of-type" => &mut self.nth_of_type,
            _ => return Ok(()),
        };
        if pair.key.starts_with("nth-") && position(pair.value).is_none() {
            return Err(Fault::BadPosition.at(pair.value_at));
        }
        match slot.replace(pair.value) {
            Some(_) => Err(Fault::RepeatedAttribute.at(at)),
            None => Ok(()),
        }
    }

    /// Whether the classes before the colon are those of the `class` attribute: then a semicolon among
    /// them is one that a class has.
    pub(super) fn has_dotted_what_it_has(&self) -> bool {
        let Some(class) = self.class else {
            return false;
        };
        let class = class.text();
        let dotted: String = class
            .split_whitespace()
            .flat_map(|class| [".", class])
            .collect();
        dotted_parts(&dotted) == dotted_parts(self.dotted_classes)
    }

    /// The tag in lower case; `None` where the sender had none.
    pub fn tag(&self) -> Option<&'a str> {
        Some(self.tag).filter(|tag| !tag.is_empty())
    }

    /// The classes: those of the `class` attribute where it was captured, else what stands between
    /// dots, where a class that has a dot itself (`w-1.5`) comes in pieces.
    pub fn classes(&self) -> Vec<Cow<'a, str>> {
        match self.class.map(Quoted::text) {
            Some(Cow::Borrowed(class)) => {
                class.split_ascii_whitespace().map(Cow::Borrowed).collect()
            }
            Some(Cow::Owned(class)) => class
                .split_ascii_whitespace()
                .map(|class| Cow::Owned(class.to_owned()))
                .collect(),
            None => self
                .dotted_classes
                .split(|c: char| c == '.' || c.is_ascii_whitespace())
                .filter(|class| !class.is_empty())
                .map(Cow::Borrowed)
                .collect(),
        }
    }

    /// `.btn.btn-primary`, as written before the colon.
    pub fn dotted_classes(&self) -> &'a str {
        self.dotted_classes
    }

    /// The element's own text; at most 400 UTF-16 units from PostHog's SDKs.
    pub fn text(&self) -> Option<Quoted<'a>> {
        self.text
    }

    /// Where a link leads; at most 2,048 UTF-16 units. The clicked element has that of the link
    /// around it.
    pub fn href(&self) -> Option<Quoted<'a>> {
        self.href
    }

    /// The `id` attribute.
    pub fn id(&self) -> Option<Quoted<'a>> {
        self.id
    }

    /// Which child of its parent it is, from 1; `None` if unknown, which PostHog writes as 0.
    pub fn nth_child(&self) -> Option<NonZeroU32> {
        self.nth_child.and_then(position).and_then(NonZeroU32::new)
    }

    /// Which child of its tag it is, from 1; `None` if unknown, which PostHog writes as 0.
    pub fn nth_of_type(&self) -> Option<NonZeroU32> {
        self.nth_of_type
            .and_then(position)
            .and_then(NonZeroU32::new)
    }

    /// All pairs in the order of the text, with their keys as written: `text`, `attr_id`,
    /// `attr__data-attr`.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, Quoted<'a>)> + use<'a> {
        let pairs = self.pairs;
        let mut from = 0;
        std::iter::from_fn(move || {
            // They were read before, so that the only end is that of the text.
            let pair = pair_at(pairs, from).ok()?;
            from = pair.end;
            Some((pair.key, pair.value))
        })
    }

    /// The value of an HTML attribute by its name.
    pub fn attribute(&self, name: &str) -> Option<Quoted<'a>> {
        self.pairs()
            .find(|(key, _)| key.strip_prefix("attr__") == Some(name))
            .map(|(_, value)| value)
    }
}

/// What stands between the dots of classes, in whatever order: the writer sorts them with backslashes
/// of which a reader cannot tell who put them.
fn dotted_parts(classes: &str) -> Vec<String> {
    // The writer leaves quotes out here, and in the attribute a quote stands with a backslash.
    let bare = |part: &str| part.replace(['"', '\\'], "");
    let mut parts: Vec<String> = classes.split('.').map(bare).collect();
    parts.sort_unstable();
    parts
}

fn position(value: Quoted<'_>) -> Option<u32> {
    // `u32::from_str` would take a sign.
    let digits = value.raw();
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}
