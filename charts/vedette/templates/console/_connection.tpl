{{/*
How the console reaches Kafka and the bucket: what operator/core/src/desired/connection.rs makes for the pods of pipelines, out of
the same values; a test compares the two.
*/}}

{{/* Where files of a Secret or ConfigMap are mounted, by the name of their volume. */}}
{{- define "vedette.directory" -}}
/var/lib/vedette/{{ . }}
{{- end }}

{{/* Where the certificates of an authority are. A list: the name of the volume and the authority. */}}
{{- define "vedette.authorityFile" -}}
{{- $key := (index . 1).key | default "ca.crt" -}}
{{- printf "%s/%s" (include "vedette.directory" (index . 0)) (ternary $key "ca.crt" (hasPrefix "*" $key)) -}}
{{- end }}

{{/* The volume of an authority. A list: its name and the authority. */}}
{{- define "vedette.authorityVolume" -}}
{{- $authority := index . 1 -}}
{{- $key := $authority.key | default "ca.crt" -}}
- name: {{ index . 0 }}
  {{- with $authority.secret }}
  secret:
    secretName: {{ . | quote }}
  {{- else }}
  configMap:
    name: {{ $authority.configMap | quote }}
  {{- end }}
    {{- if not (hasPrefix "*" $key) }}
    items:
      - key: {{ $key | quote }}
        path: ca.crt
    {{- end }}
{{- end }}

{{/* Properties of librdkafka, as a YAML map. Those that somebody gave win. */}}
{{- define "vedette.kafkaProperties" -}}
{{- $made := dict -}}
{{- with .Values.kafka -}}
{{- if and .saslMechanism (not (hasKey .properties "sasl.mechanism")) -}}
{{- $_ := set $made "sasl.mechanisms" .saslMechanism -}}
{{- end -}}
{{- if .tls -}}
{{- $_ := set $made "security.protocol" (ternary "SASL_SSL" "SSL" (ne .credentialsSecret "")) -}}
{{- with .tls.ca -}}
{{- $_ := set $made "ssl.ca.location" (include "vedette.authorityFile" (list "kafka-ca" .)) -}}
{{- end -}}
{{- if .tls.clientCertificate -}}
{{- $directory := include "vedette.directory" "kafka-certificate" -}}
{{- $_ := set $made "ssl.certificate.location" (printf "%s/tls.crt" $directory) -}}
{{- $_ := set $made "ssl.key.location" (printf "%s/tls.key" $directory) -}}
{{- end -}}
{{- end -}}
{{- merge (dict) .properties $made | toYaml -}}
{{- end -}}
{{- end }}

{{/* Arguments. */}}
{{- define "vedette.connectionArguments" -}}
{{- with .Values.kafka -}}
- {{ printf "--bootstrap-servers=%s" .bootstrapServers | quote }}
{{- range $name, $value := include "vedette.kafkaProperties" $ | fromYaml }}
- {{ printf "--kafka-property=%s=%s" $name $value | quote }}
{{- end }}
{{- with .oauth }}
- {{ printf "--oauth-token-endpoint=%s" .tokenEndpoint | quote }}
{{- with .scope }}
- {{ printf "--oauth-scope=%s" . | quote }}
{{- end }}
{{- with .audience }}
- {{ printf "--oauth-audience=%s" . | quote }}
{{- end }}
{{- with .ca }}
- {{ printf "--oauth-ca-file=%s" (include "vedette.authorityFile" (list "kafka-oauth-ca" .)) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.bucket }}
{{- with .endpoint }}
- {{ printf "--bucket-endpoint=%s" . | quote }}
{{- end }}
- {{ printf "--bucket=%s" .name | quote }}
{{- with .prefix }}
- {{ printf "--bucket-prefix=%s" . | quote }}
{{- end }}
{{- if not .pathStyle }}
- --bucket-addressing=virtual-host
{{- end }}
- {{ printf "--bucket-region=%s" .region | quote }}
{{- with .ca }}
- {{ printf "--bucket-ca-file=%s" (include "vedette.authorityFile" (list "bucket-ca" .)) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* A variable that is a key of a Secret. A list: its name, the Secret and the key. */}}
{{- define "vedette.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 | quote }}
      key: {{ index . 2 | quote }}
{{- end }}

{{/* Environment: what is secret. */}}
{{- define "vedette.connectionEnvironment" -}}
{{- with .Values.kafka }}
{{- $keys := .credentialsKeys }}
{{- $username := .username }}
{{- with .credentialsSecret }}
{{- if $username }}
- name: KAFKA_SASL_USERNAME
  value: {{ $username | quote }}
{{- else }}
{{ include "vedette.secretVariable" (list "KAFKA_SASL_USERNAME" . $keys.username) }}
{{- end }}
{{ include "vedette.secretVariable" (list "KAFKA_SASL_PASSWORD" . $keys.password) }}
{{- end }}
{{- end }}
{{- with .Values.bucket }}
{{- $keys := .credentialsKeys }}
{{- with .credentialsSecret }}
{{ include "vedette.secretVariable" (list "AWS_ACCESS_KEY_ID" . $keys.accessKeyId) }}
{{ include "vedette.secretVariable" (list "AWS_SECRET_ACCESS_KEY" . $keys.secretAccessKey) }}
{{- if $keys.sessionToken }}
{{ include "vedette.secretVariable" (list "AWS_SESSION_TOKEN" . $keys.sessionToken) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Volumes, as a YAML list; each is mounted by its name. */}}
{{- define "vedette.connectionVolumes" -}}
{{- with .Values.kafka.tls.ca }}
{{ include "vedette.authorityVolume" (list "kafka-ca" .) }}
{{- end }}
{{- with .Values.kafka.oauth.ca }}
{{ include "vedette.authorityVolume" (list "kafka-oauth-ca" .) }}
{{- end }}
{{- with .Values.kafka.tls.clientCertificate }}
- name: kafka-certificate
  secret:
    secretName: {{ .secret | quote }}
    items:
      - key: {{ .certificateKey | default "tls.crt" | quote }}
        path: tls.crt
      - key: {{ .privateKeyKey | default "tls.key" | quote }}
        path: tls.key
{{- end }}
{{- with .Values.bucket.ca }}
{{ include "vedette.authorityVolume" (list "bucket-ca" .) }}
{{- end }}
{{- end }}
