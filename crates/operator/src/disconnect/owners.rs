//! Who besides the merchant decides what is in a Secret, as the Secret itself tells: its owners, and the
//! marks that delivery tools leave on what they deliver.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Who decides what is in a Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Owner {
    /// Another object, which restores the Secret or goes with it.
    #[error("{kind} {name} owns it")]
    Object {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// A tool that delivers the Secret, and would deliver it again.
    #[error("{tool} manages it ({mark})")]
    Tool {
        /// The tool's name.
        tool: String,
        /// The label or annotation that says so.
        mark: String,
    },
}

/// Names of labels and annotations begin so, each as its tool documents it, and whose they are.
const MARKS: [(&str, &str); 20] = [
    ("reconcile.external-secrets.io/", "External Secrets"),
    ("sealedsecrets.bitnami.com/", "Sealed Secrets"),
    ("secrets-store.csi.k8s.io/", "the Secrets Store CSI driver"),
    ("secrets.hashicorp.com/", "the Vault Secrets operator"),
    ("operator.1password.io/", "the 1Password operator"),
    (
        "replicator.v1.mittwald.de/replicated-",
        "Kubernetes Replicator",
    ),
    (
        "replicator.v1.mittwald.de/replicate-from",
        "Kubernetes Replicator",
    ),
    ("reflector.v1.k8s.emberstack.com/reflects", "Reflector"),
    ("argocd.argoproj.io/", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/", "Flux"),
    ("helm.toolkit.fluxcd.io/", "Flux"),
    ("meta.helm.sh/", "Helm"),
    ("configsync.gke.io/", "Config Sync"),
    ("configmanagement.gke.io/", "Config Sync"),
    ("config.k8s.io/owning-inventory", "a cli-utils inventory"),
    ("objectset.rio.cattle.io/", "Rancher"),
    ("fleet.cattle.io/", "Fleet"),
    ("kapp.k14s.io/", "kapp"),
    ("applyset.kubernetes.io/part-of", "an ApplySet"),
    // Where Argo CD tracks by label, as it did by default before version 3, this is its label.
    ("app.kubernetes.io/instance", "a delivery tool"),
];

/// Kubernetes' own label for "the tool being used to manage the operation of an application".
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Who besides the merchant decides what is in an object with this metadata, if anybody.
pub(crate) fn owner(meta: &ObjectMeta) -> Option<Owner> {
    if let Some(owner) = meta.owner_references.iter().flatten().next() {
        return Some(Owner::Object {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
        });
    }
    let labels = || meta.labels.iter().flatten();
    let names = || {
        let annotations = meta.annotations.iter().flatten();
        labels()
            .map(|(name, _)| ("label", name))
            .chain(annotations.map(|(name, _)| ("annotation", name)))
    };
    let marked = MARKS.iter().find_map(|(prefix, tool)| {
        let (kind, name) = names().find(|(_, name)| name.starts_with(prefix))?;
        Some(Owner::Tool {
            tool: (*tool).to_owned(),
            mark: format!("{kind} {name}"),
        })
    });
    marked.or_else(|| {
        let (name, value) = labels().find(|(name, _)| *name == MANAGED_BY)?;
        Some(Owner::Tool {
            tool: value.clone(),
            mark: format!("label {name}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
    use serde_json::json;

    use super::*;

    fn labelled(name: &str, value: &str) -> ObjectMeta {
        serde_json::from_value(json!({"labels": {name: value}})).unwrap()
    }

    fn annotated(name: &str, value: &str) -> ObjectMeta {
        serde_json::from_value(json!({"annotations": {name: value}})).unwrap()
    }

    fn told(meta: &ObjectMeta) -> String {
        owner(meta)
            .map(|owner| owner.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_a_merchant_made_by_hand_is_the_merchants() {
        assert_eq!(owner(&ObjectMeta::default()), None);
        let applied = annotated("kubectl.kubernetes.io/last-applied-configuration", "{}");
        assert_eq!(owner(&applied), None);
        assert_eq!(owner(&labelled("app.kubernetes.io/name", "shop")), None);
        assert_eq!(owner(&labelled("team", "growth")), None);
    }

    #[test]
    fn an_owner_reference_names_the_owner() {
        let meta = ObjectMeta {
            owner_references: Some(vec![OwnerReference {
                kind: "ExternalSecret".to_owned(),
                name: "posthog".to_owned(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        };
        assert_eq!(told(&meta), "ExternalSecret posthog owns it");
    }

    #[test]
    fn every_tool_is_known_by_its_mark() {
        for (meta, tool) in [
            (labelled("app.kubernetes.io/managed-by", "Helm"), "Helm"),
            (annotated("meta.helm.sh/release-name", "shop"), "Helm"),
            (labelled("argocd.argoproj.io/instance", "shop"), "Argo CD"),
            (
                annotated(
                    "argocd.argoproj.io/tracking-id",
                    "shop:/Secret:acme/posthog",
                ),
                "Argo CD",
            ),
            (
                labelled("app.kubernetes.io/instance", "shop"),
                "a delivery tool",
            ),
            (labelled("kustomize.toolkit.fluxcd.io/name", "apps"), "Flux"),
            (labelled("helm.toolkit.fluxcd.io/name", "shop"), "Flux"),
            (
                labelled("reconcile.external-secrets.io/managed", "true"),
                "External Secrets",
            ),
            (
                annotated("sealedsecrets.bitnami.com/managed", "true"),
                "Sealed Secrets",
            ),
            (
                labelled("secrets-store.csi.k8s.io/managed", "true"),
                "the Secrets Store CSI driver",
            ),
            (
                annotated("replicator.v1.mittwald.de/replicated-at", "2026"),
                "Kubernetes Replicator",
            ),
            (
                annotated("reflector.v1.k8s.emberstack.com/reflects", "a/b"),
                "Reflector",
            ),
            (
                annotated("config.k8s.io/owning-inventory", "x"),
                "a cli-utils inventory",
            ),
            (annotated("objectset.rio.cattle.io/id", "x"), "Rancher"),
            (labelled("kapp.k14s.io/app", "1"), "kapp"),
            (
                labelled("applyset.kubernetes.io/part-of", "x"),
                "an ApplySet",
            ),
        ] {
            let told = told(&meta);
            assert!(told.starts_with(&format!("{tool} manages it (")), "{told}");
        }
    }

    #[test]
    fn the_tool_is_named_before_the_general_mark() {
        let mut meta = labelled("app.kubernetes.io/managed-by", "Helm");
        meta.annotations = annotated("argocd.argoproj.io/tracking-id", "x").annotations;
        assert_eq!(
            told(&meta),
            "Argo CD manages it (annotation argocd.argoproj.io/tracking-id)"
        );
        assert_eq!(
            told(&labelled("app.kubernetes.io/managed-by", "Helm")),
            "Helm manages it (label app.kubernetes.io/managed-by)"
        );
    }

    #[test]
    fn a_copy_kept_in_an_annotation_is_not_repeated() {
        let meta = annotated("objectset.rio.cattle.io/applied", "phx_secret");
        assert!(!told(&meta).contains("phx_secret"));
    }
}
