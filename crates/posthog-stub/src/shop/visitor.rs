//! Who visits: anonymous at first, with a device; some log in under a customer id or an e-mail.

use std::sync::Arc;

use super::random::Random;

const FIRST: [&str; 12] = [
    "ada", "ben", "cleo", "dora", "emil", "fay", "gus", "hana", "ivo", "june", "kai", "lena",
];
const LAST: [&str; 12] = [
    "berg", "cole", "diaz", "ekman", "fox", "gray", "hall", "ito", "jones", "kim", "lund", "moss",
];

/// One visitor of so many has a second account in the shop, if PostHog knows them by their e-mail address:
/// one person with two customer ids.
const SECOND_ACCOUNTS: u64 = 8;

/// How an identified visitor is known to PostHog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    CustomerId,
    Email,
}

/// One visitor, over all of their devices.
#[derive(Debug)]
pub(super) struct Visitor {
    /// The anonymous id of the device in use.
    pub(super) anonymous: Arc<str>,
    /// Shopify's own cookie on that device.
    pub(super) shopify_y: Arc<str>,
    /// PostHog's device id of that device.
    pub(super) device: Device,
    pub(super) customer: Arc<str>,
    /// The customer id of their other account, until they use it.
    second_account: Option<Arc<str>>,
    pub(super) email: Arc<str>,
    pub(super) naming: Naming,
    /// Whether the device in use is logged in.
    pub(super) identified: bool,
    /// Whether they were ever identified.
    pub(super) known: bool,
    /// Whether PostHog keeps no profile of them.
    pub(super) personless: bool,
    pub(super) locale: &'static str,
}

/// A device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device {
    pub(super) kind: &'static str,
    pub(super) browser: &'static str,
    pub(super) system: &'static str,
    pub(super) width: i64,
}

const DEVICES: [Device; 4] = [
    Device {
        kind: "Mobile",
        browser: "Mobile Safari",
        system: "iOS",
        width: 390,
    },
    Device {
        kind: "Mobile",
        browser: "Chrome",
        system: "Android",
        width: 412,
    },
    Device {
        kind: "Desktop",
        browser: "Chrome",
        system: "Windows",
        width: 1536,
    },
    Device {
        kind: "Tablet",
        browser: "Safari",
        system: "iOS",
        width: 820,
    },
];

impl Visitor {
    pub(super) fn new(random: &mut Random, number: u64, millis: i64) -> Self {
        let naming = if random.permille(400) {
            Naming::Email
        } else {
            Naming::CustomerId
        };
        let (first, last) = (random.text(&FIRST), random.text(&LAST));
        let mut visitor = Self {
            anonymous: Arc::default(),
            shopify_y: Arc::default(),
            device: DEVICES[0],
            customer: (6_900_000_000_000 + number * 13).to_string().into(),
            second_account: (naming == Naming::Email && number.is_multiple_of(SECOND_ACCOUNTS))
                .then(|| (6_900_000_000_001 + number * 13).to_string().into()),
            email: format!("{first}.{last}.{number}@example.com").into(),
            naming,
            identified: false,
            known: false,
            personless: random.permille(60),
            locale: random.text(&["", "", "", "", "/fr", "/en-ca", "/de"]),
        };
        visitor.take_device(random, millis);
        visitor
    }

    /// Comes back on another device, or with cleared cookies: anonymous again.
    pub(super) fn take_device(&mut self, random: &mut Random, millis: i64) {
        self.anonymous = random.uuid(millis).to_string().into();
        self.shopify_y = uuid::Uuid::from_u64_pair(random.next(), random.next())
            .to_string()
            .into();
        self.device = random.favourite(&DEVICES).copied().unwrap_or(DEVICES[0]);
        self.identified = false;
    }

    /// Comes back, from now on with the other account if there is one.
    pub(super) fn come_back(&mut self) {
        if self.known
            && let Some(account) = self.second_account.take()
        {
            self.customer = account;
        }
    }

    /// The distinct id after logging in.
    pub(super) fn identity(&self) -> Arc<str> {
        match self.naming {
            Naming::CustomerId => self.customer.clone(),
            Naming::Email => self.email.clone(),
        }
    }

    /// The distinct id in use.
    pub(super) fn distinct_id(&self) -> Arc<str> {
        if self.identified {
            self.identity()
        } else {
            self.anonymous.clone()
        }
    }
}
