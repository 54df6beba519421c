{{/* The alerts. Each has a section of its name in docs/runbooks.md. */}}
{{- define "vedette.alerts" -}}
groups:
  - name: {{ include "vedette.name" $ | quote }}
    rules:
      # By the labels that Prometheus has of the pods that it scrapes.
      {{- $ours := printf "namespace=%q,service=%q" $.Release.Namespace (include "vedette.name" $) }}
      {{- $object := `{{ $labels.kind }} {{ $labels.object_namespace }}/{{ $labels.name }}` }}
      - alert: VedetteNotReady
        expr: vedette_operator_object_condition{condition="Ready",{{ $ours }}} == 0
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: {{ printf "%s is not ready; its condition Ready says why" $object | quote }}
      - alert: VedetteStalled
        expr: vedette_operator_object_condition{condition="Stalled",{{ $ours }}} == 1
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s stays as it is until somebody changes something; its condition Stalled says what" $object | quote }}
      - alert: VedetteRecordsLost
        expr: vedette_operator_object_condition{condition="StreamComplete",{{ $ours }}} == 0
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s lost records; its condition StreamComplete says which" $object | quote }}
      - alert: VedetteNamespaceUnreachable
        expr: max by (exported_namespace) (vedette_operator_namespace_reachable{ {{- $ours -}} }) == 0
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: {{ `the operator cannot watch everything in {{ $labels.exported_namespace }}; vedette_operator_watch_errors_total and its log say what` | quote }}
      - alert: VedetteNoLeader
        expr: absent(vedette_operator_leader{ {{- $ours -}} } == 1)
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: no operator leads; pipelines run on, and nothing of them is changed
      - alert: VedetteModelNotCurrent
        expr: vedette_operator_object_condition{condition="ModelCurrent",{{ $ours }}} == 0
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: {{ printf "%s has no model, or not the one that is wanted; its condition ModelCurrent says why" $object | quote }}
      - alert: VedetteModelOld
        expr: >-
          time() - vedette_operator_model_timestamp_seconds{kind="AnomalyPipeline",{{ $ours }}} > {{ mul $.Values.prometheusRule.oldModelDays 86400 }}
          unless on (kind, object_namespace, name) vedette_operator_object_info{reason=~"Suspended|ScaledToZero",{{ $ours }}}
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: {{ printf "the model of %s is older than %d days" $object (int $.Values.prometheusRule.oldModelDays) | quote }}
      - alert: VedetteScoresShifted
        expr: vedette_operator_object_condition{condition="ScoresStable",{{ $ours }}} == 0
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: {{ printf "the model of %s learned from other records than come now; its condition ScoresStable names the fields" $object | quote }}
      - alert: VedetteBudgetExceeded
        expr: vedette_operator_object_condition{condition="BudgetHeld",{{ $ours }}} == 0
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: {{ printf "%s alerts more often than its budget says, and the threshold is at its end" $object | quote }}
      - alert: VedetteReceiversUnusable
        expr: vedette_operator_object_condition{condition="ReceiversUsable",{{ $ours }}} == 0
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s could not tell a receiver of an incident; its condition ReceiversUsable names what it lacks" $object | quote }}
      - alert: VedetteTrainingFailing
        expr: vedette_operator_object_condition{condition="Trained",{{ $ours }}} == 0
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: {{ printf "the last run of %s did not do what it should; its condition Trained says why" $object | quote }}
  - name: {{ include "vedette.name" $ | printf "%s-pipelines" | quote }}
    rules:
      # By the Services that the operator makes for what it runs.
      {{- $theirs := include "vedette.watchedNamespaces" $ | fromYamlArray | join "|" | default ".+" | printf "namespace=~%q" }}
      {{- $service := `{{ $labels.namespace }}/{{ $labels.service }}` }}
      - alert: VedetteDetectorLags
        expr: max by (site, namespace, service) (vedette_detector_lag_seconds{ {{- $theirs -}} }) > 60
        for: 10m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s is over a minute behind, and so are the alerts" $service | quote }}
      - alert: VedettePartitionsUnread
        expr: max by (site, namespace, service) ({__name__=~"vedette_detector_untold_partitions|vedette_archiver_untold_partitions",{{ $theirs }}}) > 0
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s does not read some of its partitions; its log names them" $service | quote }}
      - alert: VedetteAlertStorm
        expr: >-
          sum by (site, namespace, service) (rate(vedette_detector_alerts_total{ {{- $theirs -}} }[5m]))
          > 10 * max by (site, namespace, service) (vedette_detector_budget_in_force_per_million{ {{- $theirs -}} }) / 1e6
          * sum by (site, namespace, service) (rate(vedette_detector_records_total{ {{- $theirs -}} }[5m]))
          and sum by (site, namespace, service) (increase(vedette_detector_alerts_total{ {{- $theirs -}} }[5m])) > 20
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s alerts ten times as often as its budget says" $service | quote }}
      - alert: VedetteDeadLetters
        expr: >-
          sum by (site, namespace, service) (rate(vedette_detector_dead_letters_total{ {{- $theirs -}} }[15m]))
          > 0.01 * sum by (site, namespace, service) (rate(vedette_detector_records_total{ {{- $theirs -}} }[15m]))
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: {{ printf "more than one record in a hundred that %s reads is a dead letter" $service | quote }}
      - alert: VedetteRecordsSimulated
        # Whoever simulates sends a few.
        expr: >-
          sum by (site, namespace, service) (rate(vedette_detector_simulated_records_total{ {{- $theirs -}} }[15m]))
          > 0.1 * sum by (site, namespace, service) (rate(vedette_detector_records_total{ {{- $theirs -}} }[15m]))
          and sum by (site, namespace, service) (increase(vedette_detector_simulated_records_total{ {{- $theirs -}} }[15m])) > 20
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "more than one record in ten that %s reads says that it is simulated, and nobody is told of its alerts" $service | quote }}
      - alert: VedetteArchiveStalled
        expr: >-
          max by (site, namespace, service) (vedette_archiver_lag_seconds{ {{- $theirs -}} }) > 900
          or max by (site, namespace, service) (vedette_archiver_paused_partitions{ {{- $theirs -}} }) > 0
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: {{ printf "%s is behind or its disk is full; what is older than the topics' retention would not be archived" $service | quote }}
      - alert: VedetteNotifierFailing
        expr: max by (site, namespace, service, receiver) (vedette_notifier_longest_wait_seconds{ {{- $theirs -}} }) > 600
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: {{ `{{ $labels.namespace }}/{{ $labels.service }} cannot tell the receiver {{ $labels.receiver }} of incidents` | quote }}
  {{- if .Values.console.enabled }}
  - name: {{ include "vedette.name" $ | printf "%s-sites" | quote }}
    rules:
      # A console hears of all sites by the bucket, and by the labels of its own.
      {{- $console := printf "namespace=%q,service=%q" $.Release.Namespace (include "vedette.consoleName" $ | printf "%s-metrics") }}
      - alert: VedetteSiteSilent
        # Who is not heard of for a week is not expected any more.
        expr: max by (site, object_namespace, pipeline, object_site) (vedette_console_site_silence_seconds{ {{- $console -}} }) > 600 < 604800
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: {{ `nothing was heard of {{ $labels.object_namespace }}/{{ $labels.pipeline }} at {{ $labels.object_site }} for over ten minutes` | quote }}
  {{- end }}
{{- end }}
