{{/* The operator's environment: one variable for each value. docs/configuration.md explains each. */}}

{{- define "runai-operator.env" -}}
- name: RUNAI_BASE_URL
  value: {{ .Values.runai.baseUrl | quote }}
- name: RUNAI_CLIENT_ID
  {{- if and .Values.runai.clientId (not .Values.runai.createSecret) }}
  value: {{ .Values.runai.clientId | quote }}
  {{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ include "runai-operator.secretName" . | quote }}
      key: {{ .Values.runai.secretKeys.clientId | quote }}
  {{- end }}
- name: RUNAI_CLIENT_SECRET_FILE
  value: {{ default "/var/run/secrets/runai/clientSecret" .Values.runai.clientSecretFile | quote }}
{{- if .Values.runai.allowHttp }}
- name: RUNAI_ALLOW_HTTP
  value: "true"
{{- end }}
{{- if .Values.runai.access }}
- name: RUNAI_ACCESS_FILE
  value: /etc/runai/access/access.yaml
{{- end }}
{{- if or .Values.runai.caBundle.configMap .Values.runai.caBundle.secret }}
- name: RUNAI_CA_FILE
  value: /etc/runai/ca/ca.crt
{{- end }}
{{- with .Values.runai.proxy.https }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.runai.proxy.http }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.runai.proxy.noProxy }}
- name: NO_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.installId }}
- name: OPERATOR_INSTALL_ID
  value: {{ . | quote }}
{{- end }}
{{- with .Values.formerInstallIds }}
- name: OPERATOR_FORMER_INSTALL_IDS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.operator.watchNamespaces }}
- name: OPERATOR_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.operator.selector }}
- name: OPERATOR_SELECTOR
  value: {{ . | quote }}
{{- end }}
- name: OPERATOR_LISTEN
  value: {{ printf ":%v" .Values.operator.port | quote }}
- name: OPERATOR_LOG_FORMAT
  value: {{ .Values.operator.logFormat | quote }}
- name: OPERATOR_LOG_LEVEL
  value: {{ .Values.operator.logLevel | quote }}
- name: OPERATOR_DELTA_INTERVAL
  value: {{ .Values.operator.deltaInterval | quote }}
- name: OPERATOR_SWEEP_INTERVAL
  value: {{ .Values.operator.sweepInterval | quote }}
- name: OPERATOR_STALLED_AFTER
  value: {{ .Values.operator.stalledAfter | quote }}
- name: OPERATOR_STALE_AFTER
  value: {{ .Values.operator.staleAfter | quote }}
- name: OPERATOR_GRACE_PERIOD
  value: {{ .Values.operator.gracePeriod | quote }}
- name: OPERATOR_DELETE_RATE
  value: {{ .Values.operator.deleteRate | quote }}
- name: OPERATOR_RELEASE_AFTER
  value: {{ .Values.operator.releaseAfter | quote }}
- name: OPERATOR_EVENTS
  value: {{ .Values.operator.events | quote }}
{{- end }}
