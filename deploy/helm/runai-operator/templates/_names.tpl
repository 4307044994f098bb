{{/* Names, labels and the image: what more than one template needs. */}}

{{- define "runai-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 58 | trimSuffix "-" }}
{{- end }}

{{- define "runai-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 58 | trimSuffix "-" }}
{{- else }}
{{- $name := include "runai-operator.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 58 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 58 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "runai-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "runai-operator.serviceAccountName" -}}
{{- default (include "runai-operator.fullname" .) (tpl .Values.serviceAccount.name .) }}
{{- end }}

{{- define "runai-operator.secretName" -}}
{{- if .Values.runai.createSecret }}
{{- printf "%s-credentials" (include "runai-operator.fullname" .) }}
{{- else }}
{{- tpl .Values.runai.existingSecret . }}
{{- end }}
{{- end }}

{{- define "runai-operator.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry }}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (ne $registry "") }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "runai-operator.selectorLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/name: {{ include "runai-operator.name" . | quote }}
{{- end }}

{{/* The labels of an object; of (list . MORE) with more of them. Nobody's labels replace ours: they select the pod. */}}
{{- define "runai-operator.labels" -}}
{{- $root := . }}
{{- $more := dict }}
{{- if kindIs "slice" . }}
{{- $root = first . }}
{{- $more = last . }}
{{- end }}
{{- $own := include "runai-operator.selectorLabels" $root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $own "app.kubernetes.io/part-of" "runai-operator" }}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") }}
{{- mustMergeOverwrite dict $root.Values.commonLabels $more $own | toYaml }}
{{- end }}

{{/* The labels of the operator's pod: without those that change with the chart alone, which would restart it. */}}
{{- define "runai-operator.podLabels" -}}
{{- $labels := include "runai-operator.labels" (list . .Values.podLabels) | fromYaml }}
{{- omit $labels "helm.sh/chart" "app.kubernetes.io/managed-by" | toYaml }}
{{- end }}

{{/* The annotations of the operator's pod; those of the user replace ours. */}}
{{- define "runai-operator.podAnnotations" -}}
{{- $own := dict "kubectl.kubernetes.io/default-container" "operator" }}
{{- if .Values.runai.createSecret }}
{{- $_ := set $own "checksum/client-id" (sha256sum .Values.runai.clientId) }}
{{- end }}
{{- with .Values.runai.access }}
{{- $_ := set $own "checksum/access" (toJson . | sha256sum) }}
{{- end }}
{{- include "runai-operator.annotations" (list . (mustMerge dict .Values.podAnnotations $own)) }}
{{- end }}

{{/* Annotations whose values may be templates, given as (list . ANNOTATIONS). */}}
{{- define "runai-operator.annotations" -}}
{{- tpl (index . 1 | toYaml) (index . 0) }}
{{- end }}

{{/* What all pods have in common: where images come from, and where pods may go. */}}
{{- define "runai-operator.podSettings" -}}
enableServiceLinks: {{ .Values.enableServiceLinks }}
securityContext:
  {{- include "runai-operator.securityContext" (list . .Values.podSecurityContext) | nindent 2 }}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with mustMerge dict .Values.nodeSelector .Values.global.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat .Values.global.tolerations .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The security context of a pod or a container, given as (list . CONTEXT): on OpenShift the cluster chooses user and group. */}}
{{- define "runai-operator.securityContext" -}}
{{- $root := index . 0 }}
{{- $adapt := $root.Values.global.compatibility.openshift.adaptSecurityContext }}
{{- $context := index . 1 }}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") ($root.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{/* A name with that of a hook at its end, given as (list NAME HOOK): with the 63 characters of a label, as a Job's name is one. */}}
{{- define "runai-operator.withHook" -}}
{{- $hook := index . 1 }}
{{- printf "%s-%s" (index . 0 | trunc (sub 62 (len $hook) | int) | trimSuffix "-") $hook }}
{{- end }}

{{/* The name of a hook, given as (list . HOOK). */}}
{{- define "runai-operator.hookName" -}}
{{- include "runai-operator.withHook" (list (include "runai-operator.fullname" (index . 0)) (index . 1)) }}
{{- end }}

{{/* What selects the pod of a hook, given as (list . HOOK): it must not look like the operator's to the Service. */}}
{{- define "runai-operator.hookSelectorLabels" -}}
{{- $root := index . 0 }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/name: {{ include "runai-operator.withHook" (list (include "runai-operator.name" $root) (index . 1)) | quote }}
{{- end }}

{{/* The labels of a hook and its pod, given as (list . HOOK). */}}
{{- define "runai-operator.hookLabels" -}}
{{- $labels := include "runai-operator.labels" (index . 0) | fromYaml }}
{{- mustMergeOverwrite $labels (include "runai-operator.hookSelectorLabels" . | fromYaml) | toYaml }}
{{- end }}
