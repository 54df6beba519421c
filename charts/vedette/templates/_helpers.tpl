{{/*
Fills in what the values lack. Every template begins with it: an upgrade with `--reuse-values` has no value that is newer than the
release. What people take away of security contexts and resources by null stays away.
*/}}
{{- define "vedette.complete" -}}
{{- include "vedette.fill" (list .Values (include "vedette.defaults" . | fromYaml)) -}}
{{- end }}

{{- define "vedette.fill" -}}
{{- $values := index . 0 -}}
{{- range $name, $default := index . 1 -}}
{{- if not (hasKey $values $name) -}}
{{- $_ := set $values $name $default -}}
{{- else if kindIs "invalid" (index $values $name) -}}
{{- $_ := set $values $name $default -}}
{{- else if kindIs "map" $default -}}
{{- include "vedette.fill" (list (index $values $name) $default) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Name of everything but the CRDs. */}}
{{- define "vedette.name" -}}
{{- .Values.fullnameOverride | default (printf "%s-operator" (.Release.Name | replace "." "-")) -}}
{{- end }}

{{- define "vedette.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "vedette.name" .) -}}
{{- end }}

{{/* What selects the operator's pods; it never changes while the release lives. */}}
{{- define "vedette.selector" -}}
app.kubernetes.io/name: vedette-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The same of the console. */}}
{{- define "vedette.consoleName" -}}
{{- $prefix := .Values.fullnameOverride | default (.Release.Name | replace "." "-") -}}
{{- printf "%s-console" (trunc 47 $prefix | trimSuffix "-") -}}
{{- end }}

{{- define "vedette.consoleSelector" -}}
app.kubernetes.io/name: vedette-console
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "vedette.consoleMetadata" -}}
{{- include "vedette.metadata" (append . (include "vedette.consoleSelector" (first .))) -}}
{{- end }}

{{/* Labels of the pod of `helm test`, which no Service and no Deployment selects. */}}
{{- define "vedette.testLabels" -}}
app.kubernetes.io/name: vedette-test
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/*
Labels and annotations of an object. A list: the context, labels and annotations of its own, and what selects its pods where those are
not the operator's. What the chart needs wins over these, and these over commonLabels and commonAnnotations.
*/}}
{{- define "vedette.metadata" -}}
{{- $context := index . 0 -}}
{{- $labels := rest . | rest | rest | first | default (include "vedette.selector" $context) | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" $context.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $context.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $context.Chart.Name $context.Chart.Version) -}}
labels:
  {{- merge $labels (index . 1) $context.Values.commonLabels | toYaml | nindent 2 }}
{{- with merge (dict) (index . 2) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a CRD; `cargo crdgen` puts it into the templates of the CRDs. */}}
{{- define "vedette.crdMetadata" -}}
{{- include "vedette.metadata" (list . (dict) (ternary (dict "helm.sh/resource-policy" "keep") (dict) .Values.crds.keep)) -}}
{{- end }}

{{/* Reference of an image. A list: the context and the name of the program. */}}
{{- define "vedette.image" -}}
{{- $context := index . 0 -}}
{{- $program := index . 1 -}}
{{- with $context.Values.images -}}
{{- $name := printf "vedette-%s:%s" $program (.tag | default $context.Chart.AppVersion) -}}
{{- get . $program | default (ternary (printf "%s/%s" .registry $name) $name (ne .registry "")) -}}
{{- end -}}
{{- end }}

{{/* Where the operator runs: on nodes that its image is built for, unless a value says of nodes itself. */}}
{{- define "vedette.affinity" -}}
{{- $built := dict "key" "kubernetes.io/arch" "operator" "In" "values" .Values.images.architectures -}}
{{- $terms := list (dict "matchExpressions" (list $built)) -}}
{{- $required := dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) -}}
{{- $affinity := .Values.affinity | default dict -}}
{{- $own := or (hasKey $affinity "nodeAffinity") (hasKey .Values.nodeSelector "kubernetes.io/arch") -}}
{{- ternary $affinity (merge (dict "nodeAffinity" $required) $affinity) $own | toYaml -}}
{{- end }}

{{/* Namespaces that are watched by their names, as a YAML list: none where all are, or those that a selector matches. */}}
{{- define "vedette.watchedNamespaces" -}}
{{- if or .Values.watchNamespaceSelector (has "*" .Values.watchNamespaces) -}}
[]
{{- else -}}
{{- .Values.watchNamespaces | default (list .Release.Namespace) | toYaml -}}
{{- end -}}
{{- end }}

{{/* Namespaces that the console shows, as a YAML list: none where it shows all of the bucket. */}}
{{- define "vedette.consoleNamespaces" -}}
{{- $named := .Values.console.namespaces | default (include "vedette.watchedNamespaces" . | fromYamlArray) -}}
{{- ternary list $named (has "*" $named) | toYaml -}}
{{- end }}

{{/* Secrets that pods use, as a YAML list. */}}
{{- define "vedette.secrets" -}}
{{- $kafka := .Values.kafka -}}
{{- $certificates := list (dig "secret" "" .Values.bucket.ca) (dig "ca" "secret" "" $kafka.tls) (dig "clientCertificate" "secret" "" $kafka.tls) (dig "ca" "secret" "" $kafka.oauth) -}}
{{- concat (list .Values.bucket.credentialsSecret $kafka.credentialsSecret) $certificates | compact | uniq | sortAlpha | toYaml -}}
{{- end }}

{{/* ConfigMaps that pods use, as a YAML list. */}}
{{- define "vedette.configMaps" -}}
{{- list (dig "ca" "configMap" "" .Values.kafka.tls) (dig "ca" "configMap" "" .Values.kafka.oauth) (dig "configMap" "" .Values.bucket.ca) | compact | uniq | sortAlpha | toYaml -}}
{{- end }}

{{/* What is given of a map, as YAML: an empty value is none, but for a property of Kafka. */}}
{{- define "vedette.given" -}}
{{- $given := dict -}}
{{- range $name, $value := . -}}
{{- if eq $name "credentialsKeys" -}}
{{- $value = include "vedette.given" $value | fromYaml -}}
{{- end -}}
{{- if or $value (kindIs "bool" $value) -}}
{{- $_ := set $given $name $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $given -}}
{{- end }}

{{/* The site file: operator/core/src/site.rs reads it. */}}
{{- define "vedette.siteFile" -}}
{{- $context := . -}}
{{- with .Values -}}
site:
  name: {{ .site.name | quote }}
kafka:
  {{- include "vedette.given" .kafka | nindent 2 }}
bucket:
  {{- include "vedette.given" .bucket | nindent 2 }}
images:
  {{- range list "topics" "generator" "detector" "archiver" "notifier" "trainer" }}
  {{ . }}: {{ include "vedette.image" (list $context .) | quote }}
  {{- end }}
  architectures: {{ .images.architectures | toJson }}
imagePullPolicy: {{ .images.pullPolicy }}
{{- with .images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .watchNamespaces }}
watchNamespaces:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .watchNamespaceSelector }}
watchNamespaceSelector: {{ . | quote }}
{{- end }}
{{- with .pods.env }}
pods:
  env:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}
