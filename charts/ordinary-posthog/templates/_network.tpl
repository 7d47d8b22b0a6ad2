{{/* Rules of NetworkPolicies. Each takes the root. */}}

{{/* Ports of TCP as a rule takes them. */}}
{{- define "ordinary-posthog.tcpPorts" -}}
ports:
  {{- range . }}
  - {port: {{ . }}, protocol: TCP}
  {{- end }}
{{- end -}}

{{- define "ordinary-posthog.toDns" -}}
- ports:
    {{- range .Values.networkPolicy.dns.ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.dns.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "ordinary-posthog.toApiServer" -}}
- {{ include "ordinary-posthog.tcpPorts" .Values.networkPolicy.apiServer.ports | nindent 2 | trim }}
  {{- with .Values.networkPolicy.apiServer.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "ordinary-posthog.toPostHog" -}}
- {{ include "ordinary-posthog.tcpPorts" .Values.networkPolicy.posthog.ports | nindent 2 | trim }}
  to:
    {{- if .Values.networkPolicy.posthog.to }}
    {{- toYaml .Values.networkPolicy.posthog.to | nindent 4 }}
    {{- else }}
    # Link-local addresses, where clouds keep their machines' credentials, are left out.
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}
    - ipBlock: {cidr: "::/0", except: ["fe80::/10"]}
    {{- end }}
{{- end -}}

{{- define "ordinary-posthog.toDatabase" -}}
- {{ include "ordinary-posthog.tcpPorts" .Values.networkPolicy.database.ports | nindent 2 | trim }}
  {{- if .Values.networkPolicy.database.to }}
  to:
    {{- toYaml .Values.networkPolicy.database.to | nindent 4 }}
  {{- else if .Values.stagingPostgresql.enabled }}
  to:
    - podSelector:
        matchLabels:
          {{- include "ordinary-posthog.selectorLabels" (dict "root" . "component" "staging-postgresql") | nindent 10 }}
  {{- end }}
{{- end -}}

{{- define "ordinary-posthog.fromMetrics" -}}
- {{ include "ordinary-posthog.tcpPorts" (list 9464) | nindent 2 | trim }}
  {{- with .Values.networkPolicy.metrics.from }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
