{{/* What the operator may do; docs/rbac.md gives the reason for each line, and a test compares the two. */}}

{{/* Where RunaiWorkloads are: the whole cluster, or each watched namespace. */}}
{{- define "runai-operator.workloadRules" -}}
- apiGroups: [bridge.run.ai]
  resources: [runaiworkloads]
  verbs: [get, list, watch, patch]
- apiGroups: [bridge.run.ai]
  resources: [runaiworkloads/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- if .Values.operator.events }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
{{- if .Values.rbac.manifestFromSecrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{- end }}

{{/* What only a ClusterRole can give. */}}
{{- define "runai-operator.clusterRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- /* deleting the CustomResourceDefinition deletes its objects: their workloads must stay until that is confirmed */}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [runaiworkloads.bridge.run.ai]
  verbs: [get]
{{- end }}

{{/* The operator's own namespace: the record of orphans. "create" cannot be limited by name. */}}
{{- define "runai-operator.recordRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [runai-operator-orphans]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
{{- end }}
