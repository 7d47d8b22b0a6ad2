//! One visit: pages, clicks, cart and checkout, each event with what its session shares.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::catalog::{COLLECTIONS, Product};
use super::clicks::Element;
use super::names::{CUSTOM, NAMES, Step};
use super::random::Random;
use super::visitor::Visitor;
use crate::world::event::Event;
use crate::world::property::{Name, Properties, Property};

const HOST: &str = "linden-loom.example";

/// What a visit is made of.
pub(super) struct Session<'s> {
    pub(super) random: &'s mut Random,
    pub(super) visitor: &'s mut Visitor,
    pub(super) products: &'s [Product],
    /// The first instant of the new naming scheme.
    pub(super) renamed_at: Option<Timestamp>,
    pub(super) clock: Timestamp,
    pub(super) events: Vec<Event>,
    shared: Arc<Vec<(Name, Property)>>,
    url: Arc<str>,
    path: Arc<str>,
    cart: Arc<str>,
    /// Whether the visit ended in an order.
    pub(super) ordered: bool,
}

impl<'s> Session<'s> {
    pub(super) fn new(
        random: &'s mut Random,
        visitor: &'s mut Visitor,
        products: &'s [Product],
        renamed_at: Option<Timestamp>,
        clock: Timestamp,
    ) -> Self {
        let shared = shared(random, visitor, clock);
        let cart = format!("Z2NwLWV1{:016x}", random.next()).into();
        Self {
            random,
            visitor,
            products,
            renamed_at,
            clock,
            events: Vec::with_capacity(24),
            shared: Arc::new(shared),
            url: Arc::default(),
            path: Arc::default(),
            cart,
            ordered: false,
        }
    }

    /// Plays the visit.
    pub(super) fn run(&mut self) {
        self.land();
        let pages = 1 + self.random.below(4).min(self.random.below(9));
        for _ in 0..pages {
            self.wait(5, 70);
            match self.random.below(10) {
                0 => self.view("", ""),
                1..=3 => self.collection(),
                4 => self.search(),
                _ => self.product(),
            }
        }
        if self.random.permille(700) {
            self.wait(2, 40);
            self.send("$pageleave", |_| {});
        }
    }

    fn land(&mut self) {
        match self.random.below(4) {
            0 => self.view("", ""),
            1 => self.collection(),
            _ => self.product(),
        }
        if self.visitor.identified && self.random.permille(30) {
            let alias = self.visitor.shopify_y.clone();
            self.send("$create_alias", |own| own.set(NAMES.alias, alias));
        }
    }

    /// Looks at a page; `path` begins after the locale.
    fn view(&mut self, path: &str, query: &str) {
        let path = format!("{}{path}", self.visitor.locale);
        self.path = if path.is_empty() {
            "/".into()
        } else {
            path.as_str().into()
        };
        self.url = format!("https://{HOST}{}{query}", self.path).into();
        self.send("$pageview", |own| own.set(NAMES.title, "Linden & Loom"));
        while self.random.permille(300) {
            self.wait(1, 12);
            self.click();
        }
        if self.random.permille(60) {
            self.wait(1, 9);
            let name = self.random.text(&CUSTOM);
            self.send(name, |_| {});
            if name == "newsletter signed up" && self.random.permille(500) {
                self.identify();
            }
        }
    }

    fn click(&mut self) {
        let element = Element::any(self.random);
        let fill = |own: &mut Properties| {
            own.set(NAMES.event_type, "click");
            own.set(NAMES.ce_version, 1);
            if !element.text.is_empty() {
                own.set(NAMES.el_text, element.text);
            }
        };
        if self.random.permille(25) {
            // A rage click comes before, and besides, the autocapture of the same click.
            self.send("$rageclick", fill);
            self.chain(element.chain());
        }
        self.send("$autocapture", fill);
        self.chain(element.chain());
    }

    fn chain(&mut self, chain: &'static str) {
        if let Some(last) = self.events.last_mut() {
            last.elements_chain = chain.into();
        }
    }

    fn collection(&mut self) {
        let handle = self.random.text(&COLLECTIONS);
        self.view(&format!("/collections/{handle}"), "");
        self.step(Step::CollectionViewed, |own| {
            own.set(NAMES.category, handle);
        });
    }

    fn search(&mut self) {
        let words = self
            .random
            .text(&["red shirt", "linen", "gift", "throw \"large\"", "größe m"]);
        self.view(
            "/search",
            &format!("?q={}", words.replace(' ', "+").replace('"', "%22")),
        );
        self.step(Step::Searched, |own| own.set(NAMES.query, words));
    }

    fn product(&mut self) {
        let products = self.products;
        let Some(product) = self.random.favourite(products) else {
            return;
        };
        let path = match self.random.below(4) {
            0 => format!(
                "/collections/{}/products/{}",
                product.collection, product.handle
            ),
            _ => format!("/products/{}", product.handle),
        };
        let query = if self.random.permille(250) {
            format!("?variant={}", product.variant)
        } else {
            String::new()
        };
        self.view(&path, &query);
        self.step(Step::ProductViewed, |own| describe(own, product, 1));
        if self.random.permille(140) {
            self.wait(3, 30);
            self.buy(product);
        }
    }

    fn buy(&mut self, product: &Product) {
        let quantity = 1 + self.random.below(3).min(self.random.below(3));
        let quantity = i64::try_from(quantity).unwrap_or(1);
        let cart = self.cart.clone();
        self.step(Step::Added, |own| {
            describe(own, product, quantity);
            own.set(NAMES.cart_id, cart.clone());
        });
        if self.random.permille(500) {
            return;
        }
        self.wait(2, 20);
        self.view("/cart", "");
        self.step(Step::CartViewed, |own| own.set(NAMES.cart_id, cart.clone()));
        if self.random.permille(150) {
            self.wait(2, 20);
            self.step(Step::Removed, |own| describe(own, product, quantity));
            return;
        }
        if self.random.permille(300) {
            return;
        }
        self.wait(4, 40);
        self.checkout(product, quantity);
    }

    fn checkout(&mut self, product: &Product, quantity: i64) {
        let checkout: Arc<str> = format!(
            "{:032x}",
            Uuid::from_u64_pair(self.random.next(), self.random.next()).as_u128()
        )
        .into();
        let total = product.price * quantity;
        self.view(&format!("/checkouts/cn/{}", self.cart.clone()), "");
        let fill = |own: &mut Properties| {
            own.set(NAMES.checkout_id, checkout.clone());
            own.set(NAMES.value, cents(total));
            own.set(NAMES.currency, "EUR");
            own.set(
                NAMES.products,
                json!([{"product_id": &*product.id, "sku": &*product.sku, "quantity": quantity}]),
            );
        };
        self.step(Step::CheckoutStarted, fill);
        if self.random.permille(400) {
            return;
        }
        self.wait(20, 160);
        self.identify();
        self.wait(1, 10);
        let order = format!("#{}", self.random.between(10_000, 99_999));
        self.step(Step::OrderCompleted, |own| {
            fill(own);
            own.set(NAMES.order_id, order);
        });
        self.ordered = true;
    }

    /// Logs in: PostHog merges the anonymous person into the identified one.
    fn identify(&mut self) {
        if self.visitor.identified || self.visitor.personless {
            return;
        }
        let (anonymous, email) = (self.visitor.anonymous.clone(), self.visitor.email.clone());
        self.visitor.identified = true;
        self.visitor.known = true;
        let mut shared = Vec::clone(&self.shared);
        shared.push((NAMES.customer, self.visitor.customer.clone().into()));
        self.shared = Arc::new(shared);
        self.send("$identify", |own| {
            own.set(NAMES.anon, anonymous);
            own.set(NAMES.set, json!({"email": &*email}));
        });
    }

    fn step(&mut self, step: Step, fill: impl FnOnce(&mut Properties)) {
        let renamed = self.renamed_at.is_some_and(|at| self.clock >= at);
        self.send(step.name(renamed), fill);
    }

    /// Sends an event at the clock of now: what follows without a wait shares its timestamp.
    fn send(&mut self, name: &str, fill: impl FnOnce(&mut Properties)) {
        let mut properties = Properties::over(self.shared.clone());
        properties.push(NAMES.current_url, self.url.clone().into());
        properties.push(NAMES.pathname, self.path.clone().into());
        fill(&mut properties);
        self.events.push(Event {
            uuid: self.random.uuid(self.clock.as_millisecond()),
            event: Name::of(name),
            distinct_id: self.visitor.distinct_id(),
            person_id: Uuid::nil(),
            timestamp: self.clock,
            created_at: self.clock,
            properties,
            elements_chain: Arc::default(),
        });
    }

    fn wait(&mut self, from: i64, to: i64) {
        let millis = self.random.between(from * 1000, to * 1000);
        // The SDK's clock has milliseconds; a skew correction leaves microseconds now and then.
        let micros = if self.random.permille(100) {
            self.random.between(1, 1000)
        } else {
            0
        };
        let pause = SignedDuration::from_micros(millis * 1000 + micros);
        self.clock = self.clock.saturating_add(pause).unwrap_or(self.clock);
    }
}

fn cents(amount: i64) -> f64 {
    amount as f64 / 100.0
}

fn describe(own: &mut Properties, product: &Product, quantity: i64) {
    own.push(NAMES.product_id, product.id.clone().into());
    own.push(NAMES.sku, product.sku.clone().into());
    own.push(NAMES.name, product.title.clone().into());
    own.push(NAMES.category, product.collection.into());
    own.push(NAMES.price, cents(product.price).into());
    own.push(NAMES.currency, "EUR".into());
    own.push(NAMES.quantity, quantity.into());
}

/// What every event of a visit carries.
fn shared(random: &mut Random, visitor: &Visitor, clock: Timestamp) -> Vec<(Name, Property)> {
    let millis = clock.as_millisecond();
    let names = &*NAMES;
    let device = visitor.device;
    let (referrer, domain, source) = *random
        .favourite(&[
            ("$direct", "$direct", None),
            ("https://www.google.com/", "www.google.com", None),
            (
                "https://l.instagram.com/",
                "l.instagram.com",
                Some("instagram"),
            ),
            (
                "https://mail.example.net/",
                "mail.example.net",
                Some("newsletter"),
            ),
            (
                "https://www.pinterest.com/pin/1?a=b",
                "www.pinterest.com",
                Some("pinterest"),
            ),
        ])
        .unwrap_or(&("$direct", "$direct", None));
    let mut shared: Vec<(Name, Property)> = vec![
        (names.session, random.uuid(millis).to_string().into()),
        (names.window, random.uuid(millis).to_string().into()),
        (names.device_id, visitor.anonymous.clone().into()),
        (names.host, HOST.into()),
        (names.referrer, referrer.into()),
        (names.referring_domain, domain.into()),
        (names.device_type, device.kind.into()),
        (names.browser, device.browser.into()),
        (names.os, device.system.into()),
        (names.viewport_width, device.width.into()),
        (names.viewport_height, (device.width * 5 / 8).into()),
        (names.screen_width, device.width.into()),
        (names.lib, "web".into()),
        (names.lib_version, "1.300.2".into()),
        (names.language, "de-DE".into()),
        (names.timezone, "Europe/Berlin".into()),
        (names.country, "DE".into()),
        (names.shopify_y, visitor.shopify_y.clone().into()),
    ];
    if random.permille(200) {
        shared.push((names.client_id, visitor.shopify_y.clone().into()));
    }
    if let Some(source) = source {
        shared.push((names.utm_source, source.into()));
        shared.push((
            names.utm_medium,
            random.text(&["social", "email", "cpc"]).into(),
        ));
        shared.push((
            names.utm_campaign,
            random
                .text(&["spring-sale", "linen week", "retargeting_01"])
                .into(),
        ));
        shared.push((names.utm_content, random.text(&["hero", "footer"]).into()));
        if random.permille(300) {
            shared.push((names.utm_term, "linen shirt".into()));
        }
    }
    if visitor.identified {
        shared.push((names.customer, visitor.customer.clone().into()));
    }
    if visitor.personless {
        shared.push((names.profile, false.into()));
    }
    shared
}
