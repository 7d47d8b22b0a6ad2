{{/* Names and labels. */}}

{{- define "ordinary-posthog.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The beginning of every name. 30 characters leave room for the longest suffix and what Kubernetes appends. */}}
{{- define "ordinary-posthog.fullname" -}}
{{- $name := include "ordinary-posthog.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* For what is not bound to a namespace: two releases of one name in two namespaces must not share it. */}}
{{- define "ordinary-posthog.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "ordinary-posthog.fullname" .) -}}
{{- end -}}

{{/* Labels that pods are selected by: they never change. Takes {root, component}. */}}
{{- define "ordinary-posthog.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ordinary-posthog.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of everything. Takes {root, component}. */}}
{{- define "ordinary-posthog.labels" -}}
{{ include "ordinary-posthog.selectorLabels" . }}
app.kubernetes.io/part-of: ordinary
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
