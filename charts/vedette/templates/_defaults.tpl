{{/* The values that are always there, as values.yaml has them; a test compares the two. */}}
{{- define "vedette.defaults" -}}
site:
  name: ""
kafka:
  bootstrapServers: ""
  properties: {}
  credentialsSecret: ""
  credentialsKeys:
    username: username
    password: password
  username: ""
  saslMechanism: ""
  oauth: {}
  tls: {}
  replicationFactor: null
bucket:
  name: ""
  prefix: ""
  pathStyle: true
  endpoint: ""
  region: us-east-1
  credentialsSecret: vedette-bucket
  credentialsKeys:
    accessKeyId: accessKeyId
    secretAccessKey: secretAccessKey
    sessionToken: ""
  ca: {}
  encryption: {}
watchNamespaces: []
watchNamespaceSelector: ""
pods:
  env: []
crds:
  install: true
  keep: true
images:
  registry: ""
  tag: ""
  pullPolicy: IfNotPresent
  pullSecrets: []
  operator: ""
  topics: ""
  generator: ""
  detector: ""
  archiver: ""
  notifier: ""
  trainer: ""
  console: ""
  architectures: [amd64]
replicas: 1
revisionHistoryLimit: 2
leaseDurationSeconds: 15
modelPollIntervalSeconds: 5
logLevel: info
extraEnv: []
extraVolumes: []
extraVolumeMounts: []
podDisruptionBudget:
  enabled: true
  maxUnavailable: 1
nodeSelector: {}
tolerations: []
affinity: {}
topologySpreadConstraints: []
priorityClassName: ""
serviceAccount:
  create: true
  name: ""
  annotations: {}
rbac:
  create: true
service:
  annotations: {}
serviceMonitor:
  enabled: false
  interval: 30s
  labels: {}
  relabelings: []
  metricRelabelings: []
prometheusRule:
  enabled: false
  labels: {}
  runbookUrl: ""
  oldModelDays: 30
grafanaDashboards:
  enabled: false
  labels: {}
  annotations: {}
networkPolicy:
  enabled: false
  kafkaPorts: []
  bucketPorts: []
  receiverPorts: [80, 443, 9093]
  dnsPorts: [53, 5353]
  apiServerPorts: [443, 6443]
  metricsFrom: []
  consoleFrom: []
  extraEgress: []
console:
  enabled: false
  namespaces: []
  pathPrefix: ""
  hosts: []
  token: {}
  trustedProxy: {}
  simulation: false
  bucketRequestsPerHour: 36000
  replicas: 1
  serviceAccount:
    create: true
    name: ""
    annotations: {}
  service:
    port: 80
    annotations: {}
    ipFamilyPolicy: PreferDualStack
  extraEnv: []
  extraVolumes: []
  extraVolumeMounts: []
  podLabels: {}
  podAnnotations: {}
extraObjects: []
fullnameOverride: ""
commonLabels: {}
commonAnnotations: {}
deploymentLabels: {}
deploymentAnnotations: {}
podLabels: {}
podAnnotations: {}
{{- end }}
