#!/usr/bin/env bash
# Follows a topic from its start: on the Kafka of docker-compose.yml if that is
# up, else on the one of scripts/kafka.sh. Ctrl-C ends it.
#   scripts/consume.sh [TOPIC]
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

topic=${1:-test}
up=$(docker compose ps --status running --services 2>/dev/null || true)
if grep -qx kafka <<<"$up"; then
	exec docker compose exec kafka /opt/kafka/bin/kafka-console-consumer.sh \
		--bootstrap-server kafka:29092 --topic "$topic" --from-beginning
fi
exec scripts/kafka.sh consume "$topic" --follow
