//! "Save and test": asks PostHog about the key, the project and one recent event, and says in
//! the merchant's words what is wrong.

use domain::ApiHost;
use domain::ApiKey;
use domain::check::{CheckSummary, KeySummary, OptionalScope, ScopeReview};
use jiff::{SignedDuration, Timestamp};
use posthog::{Client, Http};

/// What a successful check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The host that was asked, after mapping ingestion hosts.
    pub host: ApiHost,
    /// What PostHog said.
    pub summary: CheckSummary,
    /// What works, but should be looked at.
    pub warnings: Vec<CheckWarning>,
}

/// Something that does not keep a connection from working.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum CheckWarning {
    /// The project has no event at all.
    #[error(
        "No events yet: PostHog shows none for this project; they are pulled once it receives some, check that its snippet runs in the shop"
    )]
    NoEventsYet,
    /// This machine's clock is wrong, or PostHog's is.
    #[error(
        "This machine's clock is {} s {} PostHog's: set it by NTP, for windows end at this machine's time",
        skew.as_secs().abs(),
        if skew.is_negative() { "behind" } else { "ahead of" }
    )]
    ClockSkew {
        /// How far it is ahead of PostHog's.
        skew: SignedDuration,
    },
    /// An optional scope is missing.
    #[error("The API key lacks the scope {}: without it, {}", scope.as_str(), scope.loss())]
    MissingOptionalScope {
        /// Which.
        scope: OptionalScope,
    },
    /// The key may do more than reading.
    #[error(
        "The API key is broader than needed ({}): create one with query:read and project:read alone", scopes.join(", ")
    )]
    TooBroad {
        /// The scopes that are too broad.
        scopes: Vec<String>,
    },
}

/// Why a check failed. [`CheckError::reason`] is the condition reason and metric label.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Required scopes that the key lacks, every one.
    #[error(
        "The API key lacks the scope{} {}: add {} to the key in PostHog's settings (PostHog's query endpoint needs query:read beside project:read)",
        if missing.len() == 1 { "" } else { "s" },
        missing.join(" and "),
        if missing.len() == 1 { "it" } else { "them" }
    )]
    MissingScope {
        /// As PostHog spells them.
        missing: Vec<&'static str>,
    },
    /// PostHog refused or failed.
    #[error(transparent)]
    PostHog(#[from] posthog::Error),
}

impl CheckError {
    /// The reason: `InvalidApiKey`, `WrongRegion`, `MissingScope`, `ProjectNotFound`,
    /// `HostRefused`, `Unreachable`, `Tls`, `NotPostHog`, `Throttled` and so on.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingScope { .. } => "MissingScope",
            Self::PostHog(error) => error.reason(),
        }
    }
}

/// What two clocks may differ by before it is worth a word; answers may be a while under way.
const TOLERATED_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// Where another region may be asked about a key that the configured one does not know.
#[derive(Clone, Copy)]
pub struct RegionProbe<'a> {
    /// The HTTP client.
    pub http: &'a Http,
    /// The key.
    pub key: &'a ApiKey,
    /// Whom to ask; [`posthog::region::other`] says who may be.
    pub other: &'a ApiHost,
}

/// Checks a connection in three requests: the key itself, the project, the latest event not
/// after `now`. Without `probe` the other region is never asked.
///
/// # Errors
/// [`CheckError`], the first thing found wrong; missing scopes all at once.
pub async fn check(
    client: &Client,
    probe: Option<RegionProbe<'_>>,
    now: Timestamp,
) -> Result<CheckReport, CheckError> {
    let key = match (client.key_info().await, probe) {
        (Ok(key), _) => key,
        (Err(error), Some(RegionProbe { http, key, other })) => {
            return Err(posthog::region::explain(http, error, key, other)
                .await
                .into());
        }
        (Err(error), None) => return Err(error.into()),
    };
    let review = ScopeReview::of(&key.scopes);
    if !review.missing_required.is_empty() {
        return Err(CheckError::MissingScope {
            missing: review.missing_required,
        });
    }
    let project = client.project().await?;
    let latest_event = client.latest_event(now).await?;

    let mut warnings = Vec::new();
    if let Some(skew) = client.clock_skew()
        && skew.abs() > TOLERATED_SKEW
    {
        warnings.push(CheckWarning::ClockSkew { skew });
    }
    if latest_event.is_none() {
        warnings.push(CheckWarning::NoEventsYet);
    }
    warnings.extend(
        review
            .missing_optional
            .iter()
            .map(|&scope| CheckWarning::MissingOptionalScope { scope }),
    );
    if !review.too_broad.is_empty() {
        warnings.push(CheckWarning::TooBroad {
            scopes: review.too_broad.clone(),
        });
    }
    Ok(CheckReport {
        host: client.host().clone(),
        summary: CheckSummary {
            checked_at: now,
            host: Some(client.host().clone()),
            project,
            key: KeySummary {
                masked_value: key.masked_value,
                label: key.label,
                scopes: key.scopes,
                missing_scopes: review.missing_optional,
                too_broad: review.too_broad,
            },
            latest_event,
        },
        warnings,
    })
}
