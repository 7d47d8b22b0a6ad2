//! Names of cohorts.

use std::collections::BTreeSet;

use domain::ConnectionName;
use domain::cohorts::CohortId;

use super::names::{check_connection, shortened};
use crate::errors::ApiError;

/// The most cohorts that one stream follows by name.
const MAX_COHORTS: usize = 100;

/// `namespaces/{namespace}/connections/{connection}/cohorts/{cohort}`.
pub(crate) fn check_cohort(
    field: &str,
    value: &str,
) -> Result<(ConnectionName, CohortId), ApiError> {
    let parts = value.rsplit_once("/cohorts/");
    let number = parts.and_then(|(connection, number)| {
        let id = number.parse::<i64>().ok()?;
        // Written in one way only, so that a name is a key.
        let is_plain = id >= 0 && id.to_string() == number;
        is_plain.then_some((connection, CohortId(id)))
    });
    let Some((connection, id)) = number else {
        return Err(ApiError::field(
            field,
            format!(
                "is {:?}: write namespaces/{{namespace}}/connections/{{connection}}/cohorts/{{cohort}}, such as namespaces/acme/connections/storefront/cohorts/12, as ListCohorts names it",
                shortened(value)
            ),
        ));
    };
    Ok((check_connection(field, connection)?, id))
}

/// The cohorts of one connection to follow.
pub(crate) fn check_cohorts(
    connection: &ConnectionName,
    names: &[String],
) -> Result<BTreeSet<CohortId>, ApiError> {
    if names.len() > MAX_COHORTS {
        return Err(ApiError::field(
            "cohorts",
            format!(
                "has {} entries: name at most {MAX_COHORTS}, or none for all",
                names.len()
            ),
        ));
    }
    let mut cohorts = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let field = format!("cohorts[{index}]");
        let (owner, cohort) = check_cohort(&field, name)?;
        if owner != *connection {
            return Err(ApiError::field(
                field,
                format!(
                    "is a cohort of {}: name cohorts of {} only",
                    owner.resource_name(),
                    connection.resource_name()
                ),
            ));
        }
        cohorts.insert(cohort);
    }
    Ok(cohorts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "namespaces/acme/connections/storefront/cohorts/12";

    #[test]
    fn a_cohort_is_named_by_its_connection_and_number() {
        let expected = (ConnectionName::new("acme", "storefront"), CohortId(12));
        assert_eq!(check_cohort("name", NAME), Ok(expected));
    }

    #[test]
    fn anything_else_is_refused() {
        for name in [
            "",
            "12",
            "namespaces/acme/connections/storefront",
            "namespaces/acme/connections/storefront/cohorts/",
            "namespaces/acme/connections/storefront/cohorts/buyers",
            "namespaces/acme/connections/storefront/cohorts/012",
            "namespaces/acme/connections/storefront/cohorts/+1",
            "namespaces/acme/connections/storefront/cohorts/-1",
            "namespaces/acme/connections/storefront/cohorts/1/members",
            "namespaces/acme/connections/Storefront/cohorts/1",
        ] {
            assert!(check_cohort("name", name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_stream_follows_cohorts_of_its_own_connection() {
        let own = ConnectionName::new("acme", "storefront");
        let found = check_cohorts(&own, &[NAME.to_owned(), NAME.to_owned()]);
        assert_eq!(found, Ok(BTreeSet::from([CohortId(12)])));
        let other = ConnectionName::new("acme", "outlet");
        let error = check_cohorts(&other, &[NAME.to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("cohorts[0]"), "{error}");
        assert!(check_cohorts(&own, &vec![NAME.to_owned(); 101]).is_err());
    }
}
