{{/* What the schema cannot express well: values that depend on each other. All problems are reported at once. */}}

{{- define "runai-operator.check" -}}
{{- $problems := list }}
{{- $accepted := .Files.Get "files/accepted.yaml" | fromYaml }}
{{- with .Values.runai }}
{{- if not .baseUrl }}
{{- $problems = append $problems "runai.baseUrl is not set: --set runai.baseUrl=https://YOUR_TENANT.run.ai" }}
{{- else if not (include "runai-operator.isAddress" (list .baseUrl $accepted.addresses.baseUrl)) }}
{{- $problems = append $problems "runai.baseUrl must be an address such as https://tenant.run.ai, without user, path or query" }}
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
{{- if .clientSecretFile }}
{{- $problems = append $problems "runai.clientSecretFile and runai.createSecret are both set: keep one of them" }}
{{- end }}
{{- else }}
{{- $withoutSecret := and .clientId .clientSecretFile }}
{{- if not (or .existingSecret $withoutSecret) }}
{{- $problems = append $problems "runai.existingSecret is not set: create a Secret with the keys clientId and clientSecret, and name it here; or set runai.clientId and runai.clientSecretFile" }}
{{- else if and .existingSecret $withoutSecret }}
{{- $problems = append $problems "runai.existingSecret is not used with both runai.clientId and runai.clientSecretFile: leave it out" }}
{{- end }}
{{- if .clientSecret }}
{{- $problems = append $problems "runai.clientSecret is used only with runai.createSecret=true: prefer runai.existingSecret" }}
{{- end }}
{{- end }}
{{- range $name, $proxy := pick .proxy "https" "http" }}
{{- if and $proxy (not (include "runai-operator.isAddress" (list $proxy $accepted.addresses.proxy))) }}
{{- $problems = append $problems (printf "runai.proxy.%s must be the address of an HTTP proxy such as http://proxy.example.com:3128, with special characters of a password percent-encoded; SOCKS is not supported" $name) }}
{{- end }}
{{- end }}
{{- if and .caBundle.configMap .caBundle.secret }}
{{- $problems = append $problems "runai.caBundle.configMap and runai.caBundle.secret are both set: keep one of them" }}
{{- end }}
{{- end }}
{{- range $name, $bounds := $accepted.durations }}
{{- $duration := index $.Values.operator $name }}
{{- $seconds := include "runai-operator.seconds" $duration | float64 }}
{{- if or (lt $seconds (include "runai-operator.seconds" $bounds.low | float64)) (gt $seconds (include "runai-operator.seconds" $bounds.high | float64)) }}
{{- $problems = append $problems (printf "operator.%s is %s, but must be from %s to %s" $name $duration $bounds.low $bounds.high) }}
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
{{- $image := include "runai-operator.image" . }}
{{- if not (regexMatch "^(([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:]+\\])(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*[:@][^/]+$" $image) }}
{{- $problems = append $problems (printf "%s cannot be the name of an image: image.registry (or global.imageRegistry) is a host such as registry.example.com:5000, perhaps with a path, without a scheme and without a slash at the end; image.repository is in small letters" $image) }}
{{- else if regexMatch "^ghcr[.]io/[^/]*[.:][^/]*/" $image }}
{{- $problems = append $problems (printf "%s has two registries: put that of image.repository into image.registry" $image) }}
{{- end }}
{{- if and .Values.service.enabled (not (regexMatch "^[a-z]" (include "runai-operator.fullname" .))) }}
{{- $problems = append $problems (printf "%s cannot be the name of a Service, which begins with a letter before Kubernetes 1.35: set fullnameOverride" (include "runai-operator.fullname" .)) }}
{{- end }}
{{- range $key, $_ := .Values.global }}
{{- range $known, $_ := ($.Files.Get "files/defaults.yaml" | fromYaml).global }}
{{- if and (ne $key $known) (eq (lower $key) (lower $known)) }}
{{- $problems = append $problems (printf "global.%s is not known: it is global.%s" $key $known) }}
{{- end }}
{{- end }}
{{- end }}
{{- $volumes := include "runai-operator.volumes" . | fromYamlArray }}
{{- range list
  (list "extraEnv" "name" (include "runai-operator.env" . | fromYamlArray) .Values.extraEnv)
  (list "extraVolumes" "name" $volumes .Values.extraVolumes)
  (list "extraVolumeMounts" "mountPath" (include "runai-operator.volumeMounts" . | fromYamlArray) .Values.extraVolumeMounts)
  (list "extraContainers or extraInitContainers" "name" (list (dict "name" "operator")) (concat .Values.extraContainers .Values.extraInitContainers)) }}
{{- $problems = concat $problems (include "runai-operator.twice" . | fromYamlArray) }}
{{- end }}
{{- $spec := include "runai-operator.podSpec" . | fromYaml }}
{{- range $field, $_ := .Values.podSpecExtra }}
{{- if hasKey $spec $field }}
{{- $problems = append $problems (printf "podSpecExtra sets %s, which the chart sets itself" $field) }}
{{- end }}
{{- end }}
{{- $mountable := list }}
{{- range concat $volumes .Values.extraVolumes }}
{{- $mountable = append $mountable .name }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
{{- if not (has .name $mountable) }}
{{- $problems = append $problems (printf "extraVolumeMounts mounts %s, which is not among extraVolumes" .name) }}
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

{{/* Problems, as a YAML list: what a list of the user's repeats, of the chart's or of its own; of (list NAME KEY OURS THEIRS). */}}
{{- define "runai-operator.twice" -}}
{{- $name := index . 0 }}
{{- $key := index . 1 }}
{{- $ours := list }}
{{- range index . 2 }}
{{- $ours = append $ours (get . $key) }}
{{- end }}
{{- $theirs := list }}
{{- range index . 3 }}
{{- $one := get . $key }}
{{- if has $one $ours }}
- {{ printf "%s sets %s, which the chart sets itself" $name $one | quote }}
{{- else if has $one $theirs }}
- {{ printf "%s has %s twice" $name $one | quote }}
{{- end }}
{{- $theirs = append $theirs $one }}
{{- end }}
{{- end }}

{{/* The seconds in a duration such as 1m30s. */}}
{{- define "runai-operator.seconds" -}}
{{- $seconds := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 1e-3 "us" 1e-6 "ns" 1e-9 }}
{{- $sum := 0.0 }}
{{- range regexFindAll "[0-9.]+[a-z]+" . -1 }}
{{- $sum = addf $sum (mulf (regexFind "[0-9.]+" .) (get $seconds (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Something, if an address, given as (list ADDRESS PATTERN), fits the operator's pattern, is HTTP, and has a port that can be. */}}
{{- define "runai-operator.isAddress" -}}
{{- $address := index . 0 }}
{{- $pattern := index . 1 }}
{{- if regexMatch $pattern $address }}
{{- $scheme := regexReplaceAll $pattern $address "${scheme}" | lower }}
{{- $port := regexReplaceAll $pattern $address "${port}" | default "443" | atoi }}
{{- and (has $scheme (list "" "http" "https")) (ge $port 1) (le $port 65535) | ternary "yes" "" }}
{{- end }}
{{- end }}
