#!/usr/bin/env bash
# Runs a real OpenSearch node for tests, on loopback, without Docker: the jars
# come from Maven Central, everything else stays under .opensearch/.
set -euo pipefail

usage() {
	cat <<'USAGE'
usage: scripts/opensearch.sh COMMAND

  start     start OpenSearch and wait until it answers; does nothing if it runs
  stop      end it
  status    running or stopped; exit status 0 or 3
  env       print OPENSEARCH_URL=http://host:port
  log       print the node's log since its last start
  clean     stop, and delete the stored data (the jars stay)

environment:
  OPENSEARCH_PORT            port on 127.0.0.1 (9200); the transport takes the one
                             100 above. Another port is another node with its own
                             data, so several can run side by side
  OPENSEARCH_HEAP            heap (512m)
  OPENSEARCH_START_TIMEOUT   seconds that start waits for an answer (120)
  OPENSEARCH_DIR             where everything is kept (.opensearch in the
                             repository)
USAGE
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source_file=$root/scripts/opensearch/SearchNode.java

host=127.0.0.1
port=${OPENSEARCH_PORT:-9200}
heap=${OPENSEARCH_HEAP:-512m}
start_timeout=${OPENSEARCH_START_TIMEOUT:-120}
stop_timeout=20
base=${OPENSEARCH_DIR:-$root/.opensearch}
lib=$base/lib

say() { printf 'opensearch: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}
. "$root/scripts/jvm.sh"

case $port in
'' | *[!0-9]*) die "OPENSEARCH_PORT=$port is not a port number" ;;
esac
((port >= 1024 && port <= 65435)) || die "OPENSEARCH_PORT=$port: take one from 1024 to 65435 (the transport takes the port 100 above it)"
dir=$base/port-$port

# node_pid prints the PID of the process that we started, and fails if it is no
# more. No signal is sent to a PID that it did not print.
node_pid() {
	local pid began
	[[ -f $dir/pid ]] || return 1
	read -r pid began <"$dir/pid" || return 1
	[[ $pid =~ ^[0-9]+$ && -n $began ]] || return 1
	[[ $(start_time "$pid") == "$began" ]] || return 1
	[[ $(command_line "$pid") == *"$dir"* ]] || return 1
	echo "$pid"
}

gone() {
	local deadline=$((SECONDS + $2))
	while [[ $(node_pid) == "$1" ]]; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

# answers says whether the node takes documents: it does when it is the leader of
# its cluster of one.
answers() {
	local line
	port_answers "$port" || return 1
	exec 7<>"/dev/tcp/$host/$port" || return 1
	printf 'GET /_cluster/health?wait_for_status=yellow&timeout=1s HTTP/1.0\r\nHost: %s\r\n\r\n' "$host" >&7
	read -r -t 5 line <&7 || line=
	exec 7>&-
	[[ $line == *' 200 '* ]]
}

lock() {
	mkdir -p "$dir"
	command -v flock >/dev/null || return 0
	exec 9>"$dir/lock"
	flock -w 150 9 || die "another scripts/opensearch.sh is at work in $dir"
}

start_node() {
	local p pid
	for p in "$port" $((port + 100)); do
		! port_answers "$p" || die "another program listens on $host:$p: stop it, or set OPENSEARCH_PORT to a free port"
	done
	mkdir -p "$dir/config" "$dir/tmp"
	# A process group of its own: Ctrl-C in a terminal is for the test. The locks
	# (8, 9) must not live on in the node.
	pid=$(
		set -m
		nohup "$java" "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:MaxDirectMemorySize=128m \
			-Djava.awt.headless=true "-Djava.io.tmpdir=$dir/tmp" "-Djna.tmpdir=$dir/tmp" \
			"-Dlog4j2.configurationFile=$root/scripts/opensearch/log4j2.properties" \
			-cp "$lib/*" "$source_file" "$dir" "$port" "$((port + 100))" \
			</dev/null >"$dir/node.log" 2>&1 8>&- 9>&- &
		echo $!
	)
	echo "$pid $(start_time "$pid")" >"$dir/pid"
}

ready() {
	local deadline=$((SECONDS + start_timeout)) pid began
	read -r pid began <"$dir/pid"
	until answers; do
		if [[ -z $began || $(start_time "$pid") != "$began" ]]; then
			tail -n 30 "$dir/node.log" >&2
			die "the node ended while it started; its log is $dir/node.log"
		fi
		if ((SECONDS >= deadline)); then
			tail -n 30 "$dir/node.log" >&2
			die "no answer within $start_timeout s; the log is $dir/node.log (scripts/opensearch.sh stop ends it)"
		fi
		sleep 0.2
	done
}

start() {
	find_java
	# The one class that is ours is compiled when it is started.
	"$java" --list-modules 2>/dev/null | grep -q '^jdk.compiler' ||
		die "$java is of a JRE: install a JDK, 17 or later (Debian: openjdk-17-jdk-headless), or set JAVA_HOME"
	lock
	fetch_jars "$root/scripts/opensearch/pom.xml" '44 MB'
	node_pid >/dev/null || start_node
	ready
	say "running at http://$host:$port (pid $(node_pid))"
}

stop() {
	lock
	local pid
	if ! pid=$(node_pid); then
		rm -f "$dir/pid"
		say "does not run"
		return
	fi
	kill -TERM "$pid" 2>/dev/null || true
	if ! gone "$pid" "$stop_timeout"; then
		say "did not stop within $stop_timeout s: SIGKILL"
		kill -KILL "$pid" 2>/dev/null || true
		gone "$pid" 5 || die "process $pid does not end"
	fi
	rm -f "$dir/pid"
	say "stopped"
}

status() {
	local pid
	if ! pid=$(node_pid); then
		echo stopped
		return 3
	fi
	echo "running at http://$host:$port (pid $pid)"
}

clean() {
	stop
	rm -rf "$dir"
	say "data deleted"
}

command=${1:-help}
(($# <= 1)) || die "$command takes nothing more, not ${*:2}"
case $command in
start) start ;;
stop) stop ;;
status) status ;;
env) echo "OPENSEARCH_URL=http://$host:$port" ;;
log) cat "$dir/node.log" ;;
clean) clean ;;
help | -h | --help) usage ;;
*)
	usage >&2
	die "there is no command $command"
	;;
esac
