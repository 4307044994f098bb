{{/* The ClusterRoleBinding of another operator for the whole cluster, or nothing. Found only where Helm asks a cluster. */}}
{{- define "runai-operator.other" -}}
{{- if and .Values.rbac.create .Values.replicaCount (not .Values.operator.watchNamespaces) (not .Values.operator.selector) }}
{{- $own := include "runai-operator.fullname" . }}
{{- $release := list .Release.Namespace .Release.Name }}
{{- $others := list }}
{{- range (lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" "").items }}
{{- $annotations := default dict .metadata.annotations }}
{{- $itsRelease := list (get $annotations "meta.helm.sh/release-namespace") (get $annotations "meta.helm.sh/release-name") }}
{{- $isOperator := eq (get (default dict .metadata.labels) "app.kubernetes.io/part-of") "runai-operator" }}
{{- if and $isOperator (ne .metadata.name $own) (not (deepEqual $itsRelease $release)) }}
{{- $others = append $others .metadata.name }}
{{- end }}
{{- end }}
{{- join ", " $others }}
{{- end }}
{{- end }}
