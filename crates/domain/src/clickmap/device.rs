//! On what kind of device a page was clicked.

/// A kind of device, from `$device_type`: pages are laid out differently on each, so clicks on them are
/// counted apart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumIter, strum::IntoStaticStr,
)]
pub enum DeviceType {
    /// `Desktop`.
    Desktop,
    /// `Mobile`.
    Mobile,
    /// `Tablet`.
    Tablet,
    /// Any other, such as posthog-js's `Console` and `Wearable`, or none.
    Other,
}

impl DeviceType {
    /// The kind of an event's `$device_type`, in whatever letter case.
    pub fn of(device_type: Option<&str>) -> Self {
        match device_type.map(str::to_ascii_lowercase).as_deref() {
            Some("desktop") => Self::Desktop,
            Some("mobile") => Self::Mobile,
            Some("tablet") => Self::Tablet,
            _ => Self::Other,
        }
    }

    /// The number by which it is stored; never changes.
    pub fn number(self) -> i16 {
        match self {
            Self::Desktop => 0,
            Self::Mobile => 1,
            Self::Tablet => 2,
            Self::Other => 3,
        }
    }

    /// The kind of that number.
    pub fn from_number(number: i16) -> Option<Self> {
        use strum::IntoEnumIterator;
        Self::iter().find(|device| device.number() == number)
    }
}
