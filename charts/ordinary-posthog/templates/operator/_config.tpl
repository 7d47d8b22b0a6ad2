{{/* The file that `operator` reads: how it was installed. */}}
{{- define "ordinary-posthog.operatorConfig" -}}
{{- $jobs := .Values.jobs -}}
{{- $pullSecrets := (include "ordinary-posthog.pullSecrets" . | fromYaml).pullSecrets -}}
{{- $job := dict
  "image" (include "ordinary-posthog.image" .)
  "imagePullPolicy" .Values.image.pullPolicy
  "imagePullSecrets" $pullSecrets
  "database" (include "ordinary-posthog.databaseSecret" . | fromYaml)
  "serviceAccountName" (printf "%s-sync" (include "ordinary-posthog.fullname" .))
  "resources" $jobs.resources
  "nodeSelector" $jobs.nodeSelector
  "tolerations" $jobs.tolerations
  "podLabels" (merge (dict) $jobs.podLabels .Values.commonLabels)
  "podAnnotations" $jobs.podAnnotations
  "backfillDeadlineSeconds" (int64 $jobs.backfillDeadlineSeconds)
  "refreshDeadlineSeconds" (int64 $jobs.refreshDeadlineSeconds)
  "ttlSeconds" (int64 $jobs.ttlSeconds)
-}}
{{- $env := (printf "env:\n%s" (include "ordinary-posthog.logEnv" . | indent 2) | fromYaml).env -}}
{{- $_ := set $job "env" (concat $env $jobs.extraEnv) -}}
{{- with $jobs.podSecurityContext }}{{- $_ := set $job "podSecurityContext" . }}{{- end -}}
{{- with $jobs.affinity }}{{- $_ := set $job "affinity" . }}{{- end -}}
{{- with $jobs.priorityClassName }}{{- $_ := set $job "priorityClassName" . }}{{- end -}}
{{- with .Values.posthog.caBundle.existingConfigMap }}
{{- $_ := set $job "caBundle" (dict "name" . "key" $.Values.posthog.caBundle.key) }}
{{- end -}}
namespace: {{ .Release.Namespace }}
maxConcurrentSyncs: {{ .Values.operator.maxConcurrentSyncs }}
maxConcurrentReconciles: {{ .Values.operator.maxConcurrentReconciles }}
mayForgetSecrets: {{ .Values.operator.forgetSecrets }}
regionProbe: {{ .Values.posthog.regionProbe }}
allowInsecureHosts: {{ toJson .Values.posthog.allowInsecureHosts }}
{{- with .Values.operator.connectionSelector }}
connectionSelector: {{ . | quote }}
{{- end }}
job:
  {{- toYaml $job | nindent 2 }}
{{- end -}}
