{{/* What the pods of every role share. */}}

{{- define "ordinary-posthog.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- with (default dict .Values.global).imageRegistry -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^[^/]*[.:][^/]*/" $repository "") -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* `{pullSecrets: […]}`, for toYaml and fromYaml carry maps alone. */}}
{{- define "ordinary-posthog.pullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets -}}
{{- range (default dict .Values.global).imagePullSecrets -}}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- dict "pullSecrets" $secrets | toYaml -}}
{{- end -}}

{{/* Where a pod may run and how it is pulled. Takes {root, component, values}. */}}
{{- define "ordinary-posthog.placement" -}}
{{- $labels := include "ordinary-posthog.selectorLabels" . | fromYaml -}}
{{- with (include "ordinary-posthog.pullSecrets" .root | fromYaml).pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- toYaml $labels | nindent 8 }}
    # Pods of the revision that is going do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
{{- end -}}

{{/* The Secret with the database's URL, and its key. Fails when there is none. */}}
{{- define "ordinary-posthog.databaseSecret" -}}
{{- $name := .Values.database.existingSecret -}}
{{- $key := .Values.database.key -}}
{{- if and $name .Values.stagingPostgresql.enabled -}}
{{- fail "database.existingSecret and stagingPostgresql.enabled are both set: the one names your database, the other starts one for staging. Set one of them." -}}
{{- else if .Values.stagingPostgresql.enabled -}}
{{- $name = printf "%s-staging-postgresql" (include "ordinary-posthog.fullname" .) -}}
{{- $key = "url" -}}
{{- else if not $name -}}
{{- fail "No database: create a Secret whose key `url` holds postgres://user:password@host:5432/database and set database.existingSecret to its name, or set stagingPostgresql.enabled=true to try things out." -}}
{{- end -}}
name: {{ $name }}
key: {{ $key }}
{{- end -}}

{{/* Variables of every role that opens the store. */}}
{{- define "ordinary-posthog.storeEnv" -}}
- name: ORDINARY_POSTHOG_DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- include "ordinary-posthog.databaseSecret" . | nindent 6 }}
{{- end -}}

{{- define "ordinary-posthog.logEnv" -}}
- name: ORDINARY_POSTHOG_LOG_FORMAT
  value: {{ .Values.log.format }}
{{- with .Values.log.filter }}
- name: RUST_LOG
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Health and metrics of a server: `/livez` never asks the database, so that its absence restarts nobody. */}}
{{- define "ordinary-posthog.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 2
  # The first start makes the database's schema.
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* The bundle of authorities as a volume, where there is one. The operator mounts it at the same place in Jobs. */}}
{{- define "ordinary-posthog.caVolume" -}}
{{- with .Values.posthog.caBundle.existingConfigMap }}
- name: ca
  configMap:
    name: {{ . }}
    items: [{key: {{ $.Values.posthog.caBundle.key | quote }}, path: ca.pem}]
{{- end }}
{{- end -}}

{{- define "ordinary-posthog.caMount" -}}
{{- if .Values.posthog.caBundle.existingConfigMap }}
- {name: ca, mountPath: /run/ordinary-posthog/ca, readOnly: true}
{{- end }}
{{- end -}}
