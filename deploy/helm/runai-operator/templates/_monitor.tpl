{{/* A ServiceMonitor or PodMonitor, of (list . KIND NAME-OF-THE-LIST VALUES): they differ in little else. */}}
{{- define "runai-operator.monitor" -}}
{{- $root := index . 0 }}
{{- $values := index . 3 }}
apiVersion: monitoring.coreos.com/v1
kind: {{ index . 1 }}
metadata:
  name: {{ include "runai-operator.fullname" $root }}
  namespace: {{ include "runai-operator.namespace" $root }}
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
  {{ index . 2 }}:
    - port: http
      path: /metrics
      honorLabels: {{ $values.honorLabels }}
      {{- with $values.interval }}
      interval: {{ . }}
      {{- end }}
      {{- with $values.scrapeTimeout }}
      scrapeTimeout: {{ . }}
      {{- end }}
      {{- with $values.relabelings }}
      relabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.metricRelabelings }}
      metricRelabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
