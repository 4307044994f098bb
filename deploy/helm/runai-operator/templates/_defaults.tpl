{{/*
Helm takes away a value that is null before a template or the schema sees it. Every template begins with this, which puts the
default back; maps that are passed on, such as nodeSelector, are left out, and so is what is null in them.
*/}}
{{- define "runai-operator.defaults" -}}
{{- include "runai-operator.fill" (list .Values (.Files.Get "files/defaults.yaml" | fromYaml)) }}
{{- end }}

{{/* Set what is missing in a map, given as (list MAP DEFAULTS). */}}
{{- define "runai-operator.fill" -}}
{{- $values := index . 0 }}
{{- range $key, $default := index . 1 }}
{{- if kindIs "invalid" (index $values $key) }}
{{- $_ := set $values $key $default }}
{{- else if kindIs "map" $default }}
{{- include "runai-operator.fill" (list (index $values $key) $default) }}
{{- end }}
{{- end }}
{{- end }}
