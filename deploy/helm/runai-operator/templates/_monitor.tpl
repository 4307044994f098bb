{{/* A ServiceMonitor or PodMonitor, of (list . KIND NAME-OF-THE-LIST NAME-OF-THE-LABELS VALUES): they differ in little else. */}}
{{- define "runai-operator.monitor" -}}
{{- $root := index . 0 }}
{{- $values := index . 4 }}
{{- $endpoint := dict "port" "http" "path" "/metrics" "honorLabels" $values.honorLabels }}
{{- range $field := list "interval" "scrapeTimeout" "relabelings" "metricRelabelings" }}
{{- with index $values $field }}
{{- $_ := set $endpoint $field . }}
{{- end }}
{{- end }}
{{- range $field, $value := $values.endpointExtra }}
{{- $_ := set $endpoint $field $value }}
{{- end }}
apiVersion: monitoring.coreos.com/v1
kind: {{ index . 1 }}
metadata:
  name: {{ include "runai-operator.fullname" $root | quote }}
  namespace: {{ default (include "runai-operator.namespace" $root) $values.namespace | quote }}
  labels:
    {{- include "runai-operator.labels" (list $root $values.labels) | nindent 4 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "runai-operator.selectorLabels" $root | nindent 6 }}
  {{- with $values.namespace }}
  namespaceSelector:
    matchNames: [{{ include "runai-operator.namespace" $root | quote }}]
  {{- end }}
  {{- with $values.jobLabel }}
  jobLabel: {{ . | quote }}
  {{- end }}
  {{- with $values.targetLabels }}
  {{ index $ 3 }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.sampleLimit }}
  sampleLimit: {{ . | int64 }}
  {{- end }}
  {{ index . 2 }}:
    - {{ toYaml $endpoint | nindent 6 | trim }}
{{- end }}
