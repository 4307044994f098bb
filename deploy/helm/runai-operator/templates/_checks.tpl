{{/* What the schema cannot express well: values that depend on each other. All problems are reported at once. */}}

{{- define "runai-operator.check" -}}
{{- $problems := list }}
{{- with .Values.runai }}
{{- if not .baseUrl }}
{{- $problems = append $problems "runai.baseUrl is not set: --set runai.baseUrl=https://YOUR_TENANT.run.ai" }}
{{- end }}
{{- if and (hasPrefix "http:" (lower .baseUrl)) (not .allowHttp) }}
{{- $problems = append $problems "runai.baseUrl is plain http, which sends the client secret unencrypted: use https, or for tests set runai.allowHttp=true" }}
{{- end }}
{{- if .createSecret }}
{{- if .existingSecret }}
{{- $problems = append $problems "runai.existingSecret and runai.createSecret are both set: keep one of them" }}
{{- end }}
{{- if or (not .clientId) (not .clientSecret) }}
{{- $problems = append $problems "runai.createSecret needs runai.clientId and runai.clientSecret" }}
{{- end }}
{{- else }}
{{- if not .existingSecret }}
{{- $problems = append $problems "runai.existingSecret is not set: create a Secret with the keys clientId and clientSecret, and name it here" }}
{{- end }}
{{- if or .clientId .clientSecret }}
{{- $problems = append $problems "runai.clientId and runai.clientSecret are used only with runai.createSecret=true: prefer runai.existingSecret" }}
{{- end }}
{{- end }}
{{- if and .caBundle.configMap .caBundle.secret }}
{{- $problems = append $problems "runai.caBundle.configMap and runai.caBundle.secret are both set: keep one of them" }}
{{- end }}
{{- end }}
{{- if and .Values.operator.watchNamespaces (not .Values.installId) }}
{{- $problems = append $problems "installId is not set: operator.watchNamespaces needs it, since without a ClusterRole the UID of kube-system cannot be read" }}
{{- end }}
{{- if gt (int .Values.replicaCount) 1 }}
{{- $problems = append $problems "replicaCount is more than 1: one operator serves all, and two would get in each other's way; 0 stops it" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
{{- $problems = append $problems "serviceMonitor.enabled needs service.enabled: or use podMonitor.enabled" }}
{{- end }}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}
{{- $problems = append $problems "serviceAccount.name is not set: serviceAccount.create=false needs it, since every pod of the namespace would share the rights of the ServiceAccount default" }}
{{- end }}
{{- $own := list }}
{{- range include "runai-operator.env" . | fromYamlArray }}
{{- $own = append $own .name }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if has .name $own }}
{{- $problems = append $problems (printf "extraEnv sets %s, which the chart sets from its own values" .name) }}
{{- end }}
{{- end }}
{{- if .Values.crds.install }}
{{- range .Values.extraObjects }}
{{- $object := tpl (kindIs "string" . | ternary . (toYaml .)) $ }}
{{- if regexMatch "(?m)^[\"']?kind[\"']?:\\s*[\"']?RunaiWorkload\\b" $object }}
{{- $problems = append $problems "extraObjects has a RunaiWorkload, which Helm cannot install together with its CustomResourceDefinition: apply it after the installation, or install the CustomResourceDefinition first (kubectl apply --server-side -k crds/) and set crds.install=false" }}
{{- end }}
{{- end }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n- %s" (join "\n- " $problems)) }}
{{- end }}
{{- end }}
