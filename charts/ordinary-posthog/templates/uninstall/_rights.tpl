{{/* The hook's rights are there before its Job and go with it: they exist only during the uninstall. */}}
{{- define "ordinary-posthog.uninstallRights" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: "-5"
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
