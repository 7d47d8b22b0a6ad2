//! The YAML that a user gives with `-f`.

use posthog_stub::StubHandle;

use super::shop::PROJECT;

/// In every key of these tests and nowhere else: if it is printed, a key was.
pub(crate) const SECRET_PART: &str = "SeCrEtPaRt";
/// The key that the stand-in knows.
pub(crate) const KEY: &str = "phx_4f19SeCrEtPaRt77c2";

/// A connection with its Secret and, with a plan, its Namespace.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// `spec.host`, as written.
    pub(crate) host: String,
    /// `spec.projectId`, as written.
    pub(crate) project: String,
    /// The Secret's value as a YAML scalar; no Secret at all when absent.
    pub(crate) key: Option<String>,
    /// The `ordinary.dev/plan` label; no Namespace document when absent.
    pub(crate) plan: Option<String>,
    /// `metadata.name`.
    pub(crate) name: String,
    /// `metadata.annotations`, in YAML's flow form.
    pub(crate) annotations: String,
    /// Further lines of the spec.
    pub(crate) spec: String,
}

impl Document {
    /// A connection to the stand-in with which nothing is wrong.
    pub(crate) fn of(stub: &StubHandle) -> Self {
        Self::at(stub.url())
    }

    /// A connection to any host.
    pub(crate) fn at(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            project: PROJECT.to_string(),
            key: Some(KEY.to_owned()),
            plan: None,
            name: "storefront".to_owned(),
            annotations: "{}".to_owned(),
            spec: String::new(),
        }
    }

    pub(crate) fn project(self, project: &str) -> Self {
        Self {
            project: project.to_owned(),
            ..self
        }
    }

    pub(crate) fn key(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }

    pub(crate) fn without_secret(self) -> Self {
        Self { key: None, ..self }
    }

    pub(crate) fn plan(self, plan: &str) -> Self {
        Self {
            plan: Some(plan.to_owned()),
            ..self
        }
    }

    pub(crate) fn name(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    pub(crate) fn annotations(self, annotations: &str) -> Self {
        Self {
            annotations: annotations.to_owned(),
            ..self
        }
    }

    /// Adds a line to the spec.
    pub(crate) fn spec(mut self, line: &str) -> Self {
        self.spec.push_str("  ");
        self.spec.push_str(line);
        self.spec.push('\n');
        self
    }

    /// All of it as one file.
    pub(crate) fn yaml(&self) -> String {
        let Self {
            host,
            project,
            name,
            annotations,
            spec,
            ..
        } = self;
        let mut text = String::new();
        if let Some(plan) = &self.plan {
            text.push_str(&format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: default, labels: {{ordinary.dev/plan: {plan}}}}}\n---\n"
            ));
        }
        if let Some(key) = &self.key {
            text.push_str(&format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}-key}}\nstringData:\n  apiKey: {key}\n---\n"
            ));
        }
        text.push_str(&format!(
            "apiVersion: integrations.ordinary.dev/v1alpha1\nkind: PostHogConnection\n\
             metadata:\n  name: {name}\n  annotations: {annotations}\n\
             spec:\n  host: {host}\n  projectId: {project}\n  apiKeySecretRef: {{name: {name}-key, key: apiKey}}\n{spec}"
        ));
        text
    }
}

/// The resource name of the connection that [`Document::of`] makes.
pub(crate) const CONNECTION: &str = "namespaces/default/connections/storefront";
