{{/* What the operator reads from files: volumes of its pod, and where it has them. */}}

{{- define "runai-operator.volumes" -}}
{{- if not .Values.runai.clientSecretFile }}
- name: credentials
  secret:
    secretName: {{ include "runai-operator.secretName" . | quote }}
    items:
      - key: {{ .Values.runai.secretKeys.clientSecret | quote }}
        path: clientSecret
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 16Mi
{{- if .Values.runai.access }}
- name: access
  configMap:
    name: {{ include "runai-operator.fullname" . }}-access
{{- end }}
{{- with .Values.runai.caBundle }}
{{- if .configMap }}
- name: ca
  configMap:
    name: {{ tpl .configMap $ | quote }}
    items:
      - key: {{ .key | quote }}
        path: ca.crt
{{- else if .secret }}
- name: ca
  secret:
    secretName: {{ tpl .secret $ | quote }}
    items:
      - key: {{ .key | quote }}
        path: ca.crt
{{- end }}
{{- end }}
{{- end }}

{{- define "runai-operator.volumeMounts" -}}
{{- if not .Values.runai.clientSecretFile }}
- name: credentials
  mountPath: /var/run/secrets/runai
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- if .Values.runai.access }}
- name: access
  mountPath: /etc/runai/access
  readOnly: true
{{- end }}
{{- if or .Values.runai.caBundle.configMap .Values.runai.caBundle.secret }}
- name: ca
  mountPath: /etc/runai/ca
  readOnly: true
{{- end }}
{{- end }}
