{{/* The Secret that the server's certificate is in. */}}
{{- define "ordinary-posthog.tlsSecret" -}}
{{- default (printf "%s-grpc-tls" (include "ordinary-posthog.fullname" .)) .Values.grpc.tls.existingSecret -}}
{{- end -}}

{{/* The Secret that a caller's certificate is in, as `helm test` shows it. */}}
{{- define "ordinary-posthog.tlsClientSecret" -}}
{{- $generated := printf "%s-grpc-client-tls" (include "ordinary-posthog.fullname" .) -}}
{{- .Values.grpc.tls.testClientSecret | default (.Values.grpc.tls.existingSecret | default $generated) -}}
{{- end -}}

{{/* One of the generated Secrets. Takes {root, name, data}. */}}
{{- define "ordinary-posthog.generatedTlsSecret" -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "ordinary-posthog.labels" (dict "root" .root "component" "grpc") | nindent 4 }}
type: kubernetes.io/tls
data:
  {{- toYaml .data | nindent 2 }}
{{- end -}}
