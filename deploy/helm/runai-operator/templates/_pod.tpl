{{/* The operator's pod. */}}
{{- define "runai-operator.podSpec" -}}
{{ include "runai-operator.podSettings" . }}
serviceAccountName: {{ include "runai-operator.serviceAccountName" . | quote }}
automountServiceAccountToken: true
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | int64 }}
{{- with .Values.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- if kindIs "bool" .Values.hostUsers }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- with .Values.extraInitContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: operator
    image: {{ include "runai-operator.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
    env:
      {{- include "runai-operator.env" . | nindent 6 }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - name: http
        containerPort: {{ .Values.operator.port | int64 }}
    {{- range $name, $path := dict "startup" "/healthz" "liveness" "/healthz" "readiness" "/readyz" }}
    {{- $probe := index $.Values.probes $name }}
    {{- if $probe.enabled }}
    {{ $name }}Probe:
      httpGet:
        path: {{ $path }}
        port: http
      {{- with $probe.initialDelaySeconds }}
      initialDelaySeconds: {{ . | int64 }}
      {{- end }}
      {{- omit $probe "enabled" "initialDelaySeconds" | toYaml | nindent 6 }}
    {{- end }}
    {{- end }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- include "runai-operator.securityContext" (list . .Values.securityContext) | nindent 6 }}
    volumeMounts:
      {{- include "runai-operator.volumeMounts" . | nindent 6 }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "runai-operator.volumes" . | nindent 2 }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . | quote }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
