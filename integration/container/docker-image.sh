#!/usr/bin/env bash
# Builds an image of Apache Kafka that takes the KAFKA_* variables of apache/kafka, for machines that cannot pull that one:
# Debian's Java from its package archive, Kafka's jars from Maven Central, nothing from an image registry.
# usage: docker-image.sh [TAG]      default tag millrace/kafka:<version of Kafka>; prints it. Needs root and a Docker daemon.
# Then: MILLRACE_KAFKA_IMAGE=<tag> TESTCONTAINERS_RYUK_DISABLED=true npm run test:integration -- src/container.test.ts
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kafka=$(cd "$here/../../packages/testkit/kafka" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$kafka/pom.xml")
tag=${1:-millrace/kafka:$version}
cache=${MILLRACE_CACHE:-$(cd "$here/../.." && pwd)/.cache}
work=$cache/kafka-image
mkdir -p "$work"

docker version > /dev/null 2>&1 || { echo "docker-image.sh: no Docker daemon answers (try: dockerd &)" >&2; exit 1; }
if ! command -v debootstrap > /dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap > /dev/null
fi

# Each step leaves its mark only when it is complete, so that a broken run can be repeated.
if [ ! -f "$work/base.tar" ]; then
  rm -rf "$work/root"
  debootstrap --variant=minbase --include=openjdk-17-jre-headless bookworm "$work/root" > "$work/debootstrap.log" 2>&1 ||
    { tail -20 "$work/debootstrap.log" >&2; exit 1; }
  rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*
  tar -C "$work/root" -cf "$work/base.tar.part" . && mv "$work/base.tar.part" "$work/base.tar"
  rm -rf "$work/root"
fi
libs=$cache/kafka-$version-libs
if [ ! -d "$libs" ]; then
  mvn -q -B -f "$kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs.$$" >&2
  mv "$libs.$$" "$libs"
fi

docker import "$work/base.tar" millrace/debian-java:17 > /dev/null
context=$work/context
rm -rf "$context" && mkdir -p "$context/libs"
cp "$libs"/*.jar "$context/libs/"
cp "$here/run-kafka.sh" "$kafka/log4j2.properties" "$context/"
cat > "$context/Dockerfile" <<'DOCKERFILE'
FROM millrace/debian-java:17
COPY libs /opt/kafka/libs
COPY log4j2.properties run-kafka.sh /opt/kafka/
EXPOSE 9092
CMD ["/opt/kafka/run-kafka.sh"]
DOCKERFILE
docker build -q -t "$tag" "$context" > /dev/null
rm -rf "$context"
echo "$tag"
