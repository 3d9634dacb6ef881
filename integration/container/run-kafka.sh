#!/bin/bash
# Inside the container: turns KAFKA_NUM_PARTITIONS=3 into num.partitions=3 (__ is _, ___ is -), formats and runs Kafka, as apache/kafka does.
set -euo pipefail
declare -A properties=(
  [process.roles]=broker,controller [node.id]=1 [controller.quorum.voters]=1@localhost:9093 [controller.listener.names]=CONTROLLER
  [listeners]=PLAINTEXT://:9092,CONTROLLER://:9093 [advertised.listeners]=PLAINTEXT://localhost:9092
  [listener.security.protocol.map]=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT [log.dirs]=/tmp/kraft-combined-logs
  [offsets.topic.replication.factor]=1 [transaction.state.log.replication.factor]=1 [transaction.state.log.min.isr]=1
)
while IFS='=' read -r -d '' variable value; do
  case $variable in KAFKA_HEAP_OPTS | KAFKA_OPTS | KAFKA_JVM_PERFORMANCE_OPTS | KAFKA_LOG4J_OPTS) continue ;; KAFKA_*) ;; *) continue ;; esac
  name=${variable#KAFKA_}
  name=${name,,}
  name=${name//___/-}
  name=${name//__/%}
  name=${name//_/.}
  properties[${name//%/_}]=$value
done < <(env -0)
for name in "${!properties[@]}"; do echo "$name=${properties[$name]}"; done > /tmp/server.properties
java=(java -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties -cp '/opt/kafka/libs/*')
"${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" -c /tmp/server.properties
exec "${java[@]:0:1}" ${KAFKA_HEAP_OPTS:--Xmx1g} -Dmillrace.log.level=INFO "${java[@]:1}" kafka.Kafka /tmp/server.properties
