//! `Namespace` documents: the plan of a workspace.

use domain::plan::{PLAN_LABEL, Plan};

use crate::document::{Document, metadata};
use crate::problem::Report;
use crate::{schema, shape};

/// A Namespace.
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) plan_label: Option<String>,
    pub(crate) document: Document,
}

/// Reads a Namespace; nothing when it has no usable name. A plan that is unknown is a warning,
/// for in a cluster it is a condition of the connection and no refusal.
pub(crate) fn read(document: Document, report: &mut Report) -> Option<Namespace> {
    let object = shape::check(&document, &schema::NAMESPACE, report)?;
    let name = metadata(&object, "name").unwrap_or_default().to_owned();
    if !crd::is_dns_label(&name) {
        report.refuse(document.problem_at(
            "metadata.name",
            if name.is_empty() {
                "is missing: give the Namespace a name".to_owned()
            } else {
                format!("{} is not a namespace that Kubernetes takes: write up to 63 lower-case letters, digits and '-'", crd::quoted(&name))
            },
        ));
        return None;
    }
    let plan_label = object["metadata"]["labels"][PLAN_LABEL]
        .as_str()
        .map(str::to_owned);
    if let Some(label) = plan_label
        .as_ref()
        .filter(|label| label.parse::<Plan>().is_err())
    {
        report.warnings.push(document.problem_at(
            "metadata.labels",
            format!("{PLAN_LABEL} is {}, which is no plan, so nothing is pulled for this namespace: write free, starter, growth or scale", crd::quoted(label)),
        ));
    }
    Some(Namespace {
        name,
        plan_label,
        document,
    })
}
