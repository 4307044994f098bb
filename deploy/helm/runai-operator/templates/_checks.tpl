{{/*
What the schema cannot express well: values that depend on each other, and what the operator or Kubernetes would refuse later, when
something has been changed already. Each part is a YAML list of problems; all of them are reported at once.
*/}}

{{- define "runai-operator.check" -}}
{{- $problems := list }}
{{- range list "runai" "operator" "installation" "names" "extras" }}
{{- $problems = concat $problems (include (printf "runai-operator.problems.%s" .) $ | fromYamlArray) }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n- %s" (join "\n- " $problems)) }}
{{- end }}
{{- end }}

{{- define "runai-operator.problems.runai" -}}
{{- $addresses := (.Files.Get "files/accepted.yaml" | fromYaml).addresses }}
{{- with .Values.runai }}
{{- if not .baseUrl }}
- "runai.baseUrl is not set: --set runai.baseUrl=https://YOUR_TENANT.run.ai"
{{- else if not (include "runai-operator.isAddress" (list .baseUrl $addresses.baseUrl)) }}
- "runai.baseUrl must be an address such as https://tenant.run.ai, without user, path or query"
{{- else if and (hasPrefix "http:" (lower .baseUrl)) (not .allowHttp) }}
- "runai.baseUrl is plain http, which sends the client secret unencrypted: use https, or for tests set runai.allowHttp=true"
{{- end }}
{{- if .createSecret }}
{{- if .existingSecret }}
- "runai.existingSecret and runai.createSecret are both set: keep one of them"
{{- end }}
{{- if .clientSecretFile }}
- "runai.clientSecretFile and runai.createSecret are both set: keep one of them"
{{- end }}
{{- if not (and .clientId .clientSecret) }}
- "runai.createSecret needs runai.clientId and runai.clientSecret"
{{- end }}
{{- else }}
{{- $withoutSecret := and .clientId .clientSecretFile }}
{{- if not (or .existingSecret $withoutSecret) }}
- "runai.existingSecret is not set: create a Secret with the keys clientId and clientSecret, and name it here; or set runai.clientId and runai.clientSecretFile"
{{- else if and .existingSecret $withoutSecret }}
- "runai.existingSecret is not used with both runai.clientId and runai.clientSecretFile: leave it out"
{{- end }}
{{- if .clientSecret }}
- "runai.clientSecret is used only with runai.createSecret=true: prefer runai.existingSecret"
{{- end }}
{{- end }}
{{- if and .caBundle.configMap .caBundle.secret }}
- "runai.caBundle.configMap and runai.caBundle.secret are both set: keep one of them"
{{- end }}
{{- range $name, $proxy := pick .proxy "https" "http" }}
{{- if and $proxy (not (include "runai-operator.isAddress" (list $proxy $addresses.proxy))) }}
- "runai.proxy.{{ $name }} must be the address of an HTTP proxy such as http://proxy.example.com:3128, with special characters of a password percent-encoded; SOCKS is not supported"
{{- end }}
{{- end }}
{{- range splitList "," .proxy.noProxy }}
{{- if not (include "runai-operator.isExemption" (trim .)) }}
- {{ printf "runai.proxy.noProxy has %s, which is not a name, an address or a network such as .example.com, 10.0.0.1:443, [::1] or 10.0.0.0/8" (trim .) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "runai-operator.problems.operator" -}}
{{- range $name, $bounds := (.Files.Get "files/accepted.yaml" | fromYaml).durations }}
{{- $duration := index $.Values.operator $name }}
{{- $seconds := include "runai-operator.seconds" $duration | float64 }}
{{- $low := include "runai-operator.seconds" $bounds.low | float64 }}
{{- $high := include "runai-operator.seconds" $bounds.high | float64 }}
{{- if or (lt $seconds $low) (gt $seconds $high) }}
- "operator.{{ $name }} is {{ $duration }}, but must be from {{ $bounds.low }} to {{ $bounds.high }}"
{{- end }}
{{- end }}
{{- if and .Values.operator.watchNamespaces (not .Values.installId) }}
- "installId is not set: operator.watchNamespaces needs it, since without a ClusterRole the UID of kube-system cannot be read"
{{- end }}
{{- if gt (int .Values.replicaCount) 1 }}
- "replicaCount is more than 1: one operator serves all, and two would get in each other's way; 0 stops it"
{{- end }}
{{- end }}

{{- define "runai-operator.problems.installation" -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
- "serviceMonitor.enabled needs service.enabled: or use podMonitor.enabled"
{{- end }}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}
- "serviceAccount.name is not set: serviceAccount.create=false needs it, since every pod of the namespace would share the rights of the ServiceAccount default"
{{- end }}
{{- with include "runai-operator.other" . }}
- "another operator serves the whole cluster already (ClusterRoleBinding {{ . }}), and two would fight over every RunaiWorkload: uninstall it first, or give each namespaces (operator.watchNamespaces) or labels (operator.selector) of its own"
{{- end }}
{{- range $key, $_ := .Values.global }}
{{- range $known, $_ := ($.Files.Get "files/defaults.yaml" | fromYaml).global }}
{{- if and (ne $key $known) (eq (lower $key) (lower $known)) }}
- "global.{{ $key }} is not known: it is global.{{ $known }}"
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "runai-operator.problems.names" -}}
{{- $host := "([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:]+\\])(:[0-9]{1,5})?" }}
{{- $part := "[a-z0-9]+([._-]+[a-z0-9]+)*" }}
{{- $image := include "runai-operator.image" . }}
{{- if not (regexMatch (printf "^(%s/)?%s(/%s)*[:@][^/]+$" $host $part $part) $image) }}
- {{ printf "%s cannot be the name of an image: image.registry (or global.imageRegistry) is a host such as registry.example.com:5000, perhaps with a path, without a scheme and without a slash at the end; image.repository is in small letters" $image | quote }}
{{- else if regexMatch "^ghcr[.]io/[^/]*[.:][^/]*/" $image }}
- {{ printf "%s has two registries: put that of image.repository into image.registry" $image | quote }}
{{- end }}
{{- $templates := dict "serviceAccount.name" .Values.serviceAccount.name "runai.existingSecret" .Values.runai.existingSecret }}
{{- range $field := list "configMap" "secret" }}
{{- $_ := set $templates (printf "runai.caBundle.%s" $field) (index $.Values.runai.caBundle $field) }}
{{- end }}
{{- range $path, $template := $templates }}
{{- if and $template (not (regexMatch "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$" (tpl $template $))) }}
- {{ printf "%s is a template of %q, which cannot be a name" $path (tpl $template $) | quote }}
{{- end }}
{{- end }}
{{- $name := include "runai-operator.fullname" . }}
{{- if and .Values.service.enabled (not (regexMatch "^[a-z]" $name)) }}
- "{{ $name }} cannot be the name of a Service, which begins with a letter before Kubernetes 1.35: set fullnameOverride"
{{- end }}
{{- end }}

{{- define "runai-operator.problems.extras" -}}
{{- /* With the file of the client secret, the operator refuses the secret itself beside it. */}}
{{- $variables := append (include "runai-operator.env" . | fromYamlArray) (dict "name" "RUNAI_CLIENT_SECRET") }}
{{- $mounts := include "runai-operator.volumeMounts" . | fromYamlArray }}
{{- $volumes := include "runai-operator.volumes" . | fromYamlArray }}
{{- $operator := list (dict "name" "operator") }}
{{- $containers := concat .Values.extraContainers .Values.extraInitContainers }}
{{- include "runai-operator.twice" (list "extraEnv" "name" $variables .Values.extraEnv) }}
{{- include "runai-operator.twice" (list "extraVolumes" "name" $volumes .Values.extraVolumes) }}
{{- include "runai-operator.twice" (list "extraVolumeMounts" "mountPath" $mounts .Values.extraVolumeMounts) }}
{{- include "runai-operator.twice" (list "extraContainers or extraInitContainers" "name" $operator $containers) }}
{{- $mountable := list }}
{{- range concat $volumes .Values.extraVolumes }}
{{- $mountable = append $mountable .name }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
{{- if not (has .name $mountable) }}
- {{ printf "extraVolumeMounts mounts %s, which is not among extraVolumes" .name | quote }}
{{- end }}
{{- end }}
{{- $spec := include "runai-operator.podSpec" . | fromYaml }}
{{- range $field, $_ := .Values.podSpecExtra }}
{{- if hasKey $spec $field }}
- {{ printf "podSpecExtra sets %s, which the chart sets itself" $field | quote }}
{{- end }}
{{- end }}
{{- if .Values.crds.install }}
{{- range .Values.extraObjects }}
{{- $object := tpl (kindIs "string" . | ternary . (toYaml .)) $ }}
{{- if regexMatch "(?m)^[\"']?kind[\"']?:\\s*[\"']?RunaiWorkload\\b" $object }}
- "extraObjects has a RunaiWorkload, which Helm cannot install together with its CustomResourceDefinition: apply it after the installation, or install the CustomResourceDefinition first (helm template --show-only templates/crds.yaml) and set crds.install=false"
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Problems: what a list of the user's repeats, of the chart's or of its own; of (list NAME KEY OURS THEIRS). */}}
{{- define "runai-operator.twice" }}
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
{{- $ip := regexReplaceAll $pattern $address "${ipv6}" }}
{{- $host := or (regexReplaceAll $pattern $address "${host}") (include "runai-operator.isIPv6" $ip) }}
{{- and (ne $host "") (has $scheme (list "" "http" "https")) (ge $port 1) (le $port 65535) | ternary "yes" "" }}
{{- end }}
{{- end }}

{{/* The pattern of an IPv4 address. */}}
{{- define "runai-operator.ipv4" -}}
{{- $byte := "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])" }}
{{- printf "%s([.]%s){3}" $byte $byte }}
{{- end }}

{{/* Something, if this is an IPv6 address: eight groups, or fewer around one ::, of which an IPv4 address at the end counts as two. */}}
{{- define "runai-operator.isIPv6" -}}
{{- $ipv4 := include "runai-operator.ipv4" . }}
{{- $groups := regexReplaceAll (printf ":%s$" $ipv4) . ":0:0" }}
{{- $some := "[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*" }}
{{- $all := regexMatch (printf "^%s$" $some) $groups | ternary 8 -1 }}
{{- $count := len (regexFindAll "[0-9A-Fa-f]+" $groups -1) }}
{{- if or (eq $count $all) (and (lt $count 8) (regexMatch (printf "^(%s)?::(%s)?$" $some $some) $groups)) }}yes{{ end }}
{{- end }}

{{/* Something, if an entry of NO_PROXY that is a network, or has more colons than that of a port, is what it must be. */}}
{{- define "runai-operator.isExemption" -}}
{{- $address := regexReplaceAll "^\\[(.*)\\]$" (regexReplaceAll "(^[^:]*|\\]):[0-9]+$|/[0-9]+$" . "${1}") "${1}" }}
{{- $ipv4 := include "runai-operator.ipv4" . }}
{{- $length := regexFind "[0-9]+$" . | default "0" | atoi }}
{{- if not (contains "/" .) }}
{{- if or (not (contains ":" $address)) (include "runai-operator.isIPv6" $address) }}yes{{ end }}
{{- else if include "runai-operator.isIPv6" $address }}
{{- le $length 128 | ternary "yes" "" }}
{{- else }}
{{- and (regexMatch (printf "^%s$" $ipv4) $address) (le $length 32) | ternary "yes" "" }}
{{- end }}
{{- end }}
