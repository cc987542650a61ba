#!/usr/bin/env bash
# Runs a real Apache Kafka for tests, on loopback, without Docker: the jars
# come from Maven Central, everything else stays under .kafka/.
set -euo pipefail

usage() {
	cat <<'USAGE'
usage: scripts/kafka.sh COMMAND

  start                 start Kafka and wait until it answers; does nothing if
                        it runs, thaws it if it is paused, keeps what is stored
  stop                  end it in good order (thaws it first if it is paused)
  kill                  end it with SIGKILL, as a crash would; data stays
  pause, resume         freeze and thaw it (SIGSTOP, SIGCONT)
  restart               stop, then start
                        Each of these takes the number of a node: restart 2
                        does it to that node alone, and start 2 waits until it
                        has caught up with the partitions that it keeps
  status                running, paused or stopped; exit status 0, 0 or 3
  env                   print KAFKA_BROKERS=host:port, for eval or a .env file;
                        with KAFKA_SECURE or KAFKA_PROXIED the other listeners as
                        well
  topic list
  topic create NAME [PARTITIONS] [CONFIG=VALUE ...]
  topic describe NAME
  topic delete NAME
  consume [TOPIC] [--count | --follow]
                        print the topic from its start to its end; --count
                        prints the number of records only, --follow goes on
                        until interrupted
  log                   print the broker's log since its last start (what was
                        before is in server.log.1)
  clean                 stop, and delete the stored data (the jars stay)

environment:
  KAFKA_PORT            port on 127.0.0.1 (9092); the controller takes the port
                        1000 above it. Another port is another Kafka with its
                        own data, so several can run side by side
  KAFKA_NODES           brokers (1), at most 9. With more than one they have
                        the ports from KAFKA_PORT upwards and keep three copies
                        of each topic (two have to acknowledge); the controller
                        is then a process of its own, node 0. Every command
                        needs the same value
  KAFKA_SECURE          directory with ca.pem and server.pem (certificate and
                        PKCS #8 key; integration/cmd/certs makes them). Brokers
                        then listen on these ports above their own as well:
                          10  KAFKA_SSL       TLS
                          20  KAFKA_MTLS      TLS, a certificate is required
                          30  KAFKA_SASL_SSL  TLS, with PLAIN or SCRAM-SHA-512:
                                              user app, password app-password;
                                              or OAUTHBEARER: any token that is
                                              not signed and has not expired
  KAFKA_PROXIED         yes: brokers have one more listener, 40 above their own
                        port, and tell the clients which come through it that
                        they are another 10 above that: there a test has a proxy
  KAFKA_TOPIC           topic that start creates (test); empty: none
  KAFKA_PARTITIONS      its number of partitions (4)
  KAFKA_AUTO_CREATE     true: clients may have topics created (false)
  KAFKA_HEAP            heap of each node (512m)
  KAFKA_START_TIMEOUT   seconds that start waits for an answer (60)
  KAFKA_DIR             where everything is kept (.kafka in the repository)
USAGE
}

# Without links: by whatever path it is called, a node has one command line.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
pom=$root/scripts/kafka/pom.xml

host=127.0.0.1
port=${KAFKA_PORT:-9092}
topic=${KAFKA_TOPIC-test}
partitions=${KAFKA_PARTITIONS:-4}
auto_create=${KAFKA_AUTO_CREATE:-false}
start_timeout=${KAFKA_START_TIMEOUT:-60}
stop_timeout=20
base=${KAFKA_DIR:-$root/.kafka}
nodes=${KAFKA_NODES:-1}
heap=${KAFKA_HEAP:-512m}
secure=${KAFKA_SECURE:-}
proxied=${KAFKA_PROXIED:-}
lib=$base/lib
# Any base64url UUID will do; a fixed one keeps old data usable.
cluster_id=emFwa2Fma2EtdGVzdHMtMQ

say() { printf 'kafka: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}
. "$root/scripts/jvm.sh"

case $port in
'' | *[!0-9]*) die "KAFKA_PORT=$port is not a port number" ;;
esac
((port >= 1024 && port <= 64535)) || die "KAFKA_PORT=$port: take one from 1024 to 64535 (the controller takes the port 1000 above it)"
[[ $nodes == [1-9] ]] || die "KAFKA_NODES=$nodes: take a number from 1 to 9"
if [[ -n $secure ]]; then
	[[ -r $secure/ca.pem && -r $secure/server.pem ]] ||
		die "KAFKA_SECURE=$secure: there is no ca.pem and server.pem in it: (cd integration && go run ./cmd/certs DIRECTORY) makes them"
	secure=$(cd "$secure" && pwd)
fi

if [[ $port == 9092 ]]; then
	cluster=$base
else
	cluster=$base/port-$port
fi
((nodes == 1)) || cluster=$cluster/nodes-$nodes # its data fit no other number

# --- nodes -------------------------------------------------------------------
# One node is broker and controller. With more of them the controller is a node
# of its own, 0, so that a broker can be restarted without an election. Whatever
# is known of a node is asked of these functions by its number.

broker_nodes() { seq 1 "$nodes"; }
controller_node() { echo $((nodes == 1)); }
all_nodes() { seq $((nodes == 1)) "$nodes"; }
node_dir() { echo "$cluster/node-$1"; }
node_port() { echo $((port + $1 - 1)); }
controller_port() { echo $((port + 1000)); }

is_broker() { (($1 > 0)); }
is_controller() { (($1 == $(controller_node))); }

# node_ports prints the ports on which the node listens.
node_ports() {
	local offset
	if is_broker "$1"; then
		node_port "$1"
		[[ -z $secure ]] || for offset in "$ssl" "$mtls" "$sasl_ssl"; do
			echo $(($(node_port "$1") + offset))
		done
		[[ -z $proxied ]] || echo $(($(node_port "$1") + behind_proxy))
	fi
	! is_controller "$1" || controller_port
}

# chosen [NODE] prints the node that a command was given, else all of them.
chosen() {
	if (($# == 0)); then
		all_nodes
		return
	fi
	(($# == 1)) || die "$command takes one node at most, not $*"
	[[ " $(all_nodes | tr '\n' ' ')" == *" $1 "* ]] ||
		die "there is no node $1, but: $(all_nodes | tr '\n' ' ')"
	echo "$1"
}

# The listeners of KAFKA_SECURE, as what they are above the port of a node.
ssl=10
mtls=20
sasl_ssl=30
sasl_user=app
sasl_password=app-password
# The listener of KAFKA_PROXIED, and what stands before it.
behind_proxy=40
proxy=50

# addresses OFFSET prints the brokers' addresses for clients, with commas.
addresses() {
	local node list=
	for node in $(broker_nodes); do
		list+=,$host:$(($(node_port "$node") + $1))
	done
	echo "${list:1}"
}
brokers=$(addresses 0)

# The addresses at which the node listens for clients, with the listener's name,
# and with a word behind the node those at which clients find it.
node_listeners() {
	local p
	p=$(node_port "$1")
	echo -n "PLAINTEXT://$host:$p"
	[[ -z $secure ]] || echo -n ",SSL://$host:$((p + ssl)),MTLS://$host:$((p + mtls)),SASL_SSL://$host:$((p + sasl_ssl))"
	[[ -z $proxied ]] || echo -n ",PROXIED://$host:$((p + (${2:+1} + 0 ? proxy : behind_proxy)))"
}

security_protocols() {
	echo -n "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	[[ -z $secure ]] || echo -n ",SSL:SSL,MTLS:SSL,SASL_SSL:SASL_SSL"
	[[ -z $proxied ]] || echo -n ",PROXIED:PLAINTEXT"
}

# roles prints what depends on whether the node is broker, controller or both.
roles() {
	local roles=() listeners=()
	if is_broker "$1"; then
		roles+=(broker)
		listeners+=("$(node_listeners "$1")")
	fi
	if is_controller "$1"; then
		roles+=(controller)
		listeners+=("CONTROLLER://$host:$(controller_port)")
	fi
	local IFS=,
	cat <<PROPERTIES
process.roles=${roles[*]}
node.id=$1
controller.quorum.bootstrap.servers=$host:$(controller_port)
controller.listener.names=CONTROLLER
listeners=${listeners[*]}
PROPERTIES
	! is_broker "$1" || cat <<PROPERTIES
advertised.listeners=$(node_listeners "$1" advertised)
inter.broker.listener.name=PLAINTEXT
PROPERTIES
}

security() {
	cat <<PROPERTIES

ssl.keystore.type=PEM
ssl.keystore.location=$secure/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$secure/ca.pem
listener.name.mtls.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$sasl_user="$sasl_password";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
PROPERTIES
}

# copies is how often a topic is kept, acknowledged how many copies make an
# acknowledgement.
copies=$((nodes < 3 ? nodes : 3))
acknowledged=$((copies < 3 ? 1 : 2))

write_properties() {
	local node=$1 dir
	dir=$(node_dir "$node")
	{
		cat <<PROPERTIES
# Written by scripts/kafka.sh at every start: edits are lost.
$(roles "$node")
listener.security.protocol.map=$(security_protocols)
log.dirs=$dir/data

# A topic that nobody created is an error, as in most production clusters.
auto.create.topics.enable=$auto_create
num.partitions=4
default.replication.factor=$copies
min.insync.replicas=$acknowledged

# After a crash the controller lets the node in again when its old session has
# expired: at the default of 9 s every start after kill would take 13 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# Few brokers cannot keep three copies of the internal topics.
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$acknowledged
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$acknowledged
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
PROPERTIES
		[[ -z $secure ]] || security
	} >"$dir/server.properties"
}

# --- processes ---------------------------------------------------------------

# node_pid NODE prints the PID of the node's process, and fails if the process
# that we started is no more. No signal is sent to a PID that it did not print.
node_pid() {
	local dir pid began
	dir=$(node_dir "$1")
	[[ -f $dir/pid ]] || return 1
	read -r pid began <"$dir/pid" || return 1
	[[ $pid =~ ^[0-9]+$ && -n $began ]] || return 1
	[[ $(start_time "$pid") == "$began" ]] || return 1
	[[ $(command_line "$pid") == *"$dir/server.properties"* ]] || return 1
	echo "$pid"
}

# gone PID NODE SECONDS waits for the end of a process.
gone() {
	local deadline=$((SECONDS + $3))
	while [[ $(node_pid "$2") == "$1" ]]; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

# One command at a time changes a cluster, where flock(1) exists.
lock() {
	mkdir -p "$cluster"
	command -v flock >/dev/null || return 0
	exec 9>"$cluster/lock"
	flock -w 120 9 || die "another scripts/kafka.sh is at work in $cluster"
}

# --- jars and tools ----------------------------------------------------------

# tool CLASS ARGUMENTS... runs one of Kafka's command-line tools.
tool() {
	"$java" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=off -cp "$lib/*" "$@"
}

topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$brokers" "$@"; }

create_topic() {
	local name=$1 count=${2:-4} config args=() out
	shift $(($# < 2 ? $# : 2))
	[[ $count =~ ^[1-9][0-9]*$ ]] || die "topic $name: $count is not a number of partitions"
	for config in "$@"; do
		args+=(--config "$config")
	done
	out=$(topics --create --if-not-exists --topic "$name" --partitions "$count" \
		--replication-factor "$copies" ${args[@]+"${args[@]}"} 2>&1) || {
		printf '%s\n' "$out" >&2
		return 1
	}
	# What is left out is a remark about dots and underscores in one name.
	printf '%s\n' "$out" | sed '/^WARNING: Due to limitations/d; /^$/d'
}

# metadata_answers NODE: the broker knows itself, and each partition that it
# keeps has a leader and counts it as in sync, which after a crash comes a moment
# later.
metadata_answers() {
	local out at
	at=$host:$(node_port "$1")
	if command -v kcat >/dev/null; then
		out=$(kcat -b "$at" -L -m 2 2>/dev/null) || return 1
		[[ $out == *" broker $1 at $at"* ]] || return 1
	else
		out=$(topics --describe 2>/dev/null) || return 1
	fi
	# Lines of kcat, and of TopicCommand:
	#   partition 0, leader 1, replicas: 1,2, isrs: 1,2
	#   Topic: a  Partition: 0  Leader: none  Replicas: 1,2  Isr: 1,2  Elr: ...
	awk -v node="$1" '
		function has(list, n) {
			sub(/[ \t].*/, "", list)
			return index("," list ",", "," n ",") > 0
		}
		match($0, /[Rr]eplicas: /) {
			replicas = substr($0, RSTART + RLENGTH)
			if (!has(replicas, node)) next
			in_sync = match($0, /[Ii]srs?: /) ? substr($0, RSTART + RLENGTH) : ""
			if ($0 ~ /leader -1|Leader: none/ || !has(in_sync, node)) behind = 1
		}
		END { exit behind }' <<<"$out"
}

# need_running ends the script unless a broker answers.
need_running() {
	local node pid paused=
	for node in $(broker_nodes); do
		port_answers "$(node_port "$node")" || continue
		if pid=$(node_pid "$node") && is_paused "$pid"; then
			paused=yes
			continue
		fi
		return 0
	done
	[[ -z $paused ]] || die "Kafka at $brokers is paused: scripts/kafka.sh resume"
	die "nothing answers at $brokers: scripts/kafka.sh start"
}

# add_user gives KAFKA_SECURE's user its SCRAM credentials, once.
add_user() {
	local stamp out
	stamp=$(node_dir 1)/scram
	[[ ! -f $stamp ]] || return 0
	out=$(tool kafka.admin.ConfigCommand --bootstrap-server "$brokers" --alter --entity-type users --entity-name "$sasl_user" \
		--add-config "SCRAM-SHA-512=[password=$sasl_password]" 2>&1) || {
		printf '%s\n' "$out" >&2
		die "the user $sasl_user could not be added"
	}
	touch "$stamp"
}

# --- commands ----------------------------------------------------------------

start_node() {
	local node=$1 dir
	dir=$(node_dir "$node")
	mkdir -p "$dir"
	rm -f "$dir/pid"
	local p
	for p in $(node_ports "$node"); do
		! port_answers "$p" || die "another program listens on $host:$p: stop it, or set KAFKA_PORT to a free port"
	done
	write_properties "$node"
	[[ ! -f $dir/server.log ]] || mv "$dir/server.log" "$dir/server.log.1"
	if [[ ! -f $dir/data/meta.properties ]]; then
		local quorum=--standalone
		is_controller "$node" || quorum=--no-initial-controllers
		tool kafka.tools.StorageTool format $quorum -t "$cluster_id" \
			-c "$dir/server.properties" >"$dir/format.log" 2>&1 || {
			cat "$dir/format.log" >&2
			die "the data directory $dir/data could not be formatted"
		}
	fi
	# A process group of its own: Ctrl-C in a terminal is for the test, not for
	# the broker. The locks (8, 9) must not live on in the broker.
	local pid
	pid=$(
		set -m
		nohup "$java" "-Xms$heap" "-Xmx$heap" -XX:+UseG1GC \
			-Djava.awt.headless=true \
			-Dorg.slf4j.simpleLogger.showDateTime=true \
			"-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS" \
			-cp "$lib/*" kafka.Kafka "$dir/server.properties" \
			</dev/null >"$dir/server.log" 2>&1 8>&- 9>&- &
		echo $!
	)
	echo "$pid $(start_time "$pid")" >"$dir/pid"
}

# answers NODE: it does its work.
answers() {
	local p
	for p in $(node_ports "$1"); do
		port_answers "$p" || return 1
	done
	! is_broker "$1" || metadata_answers "$1"
}

# ready NODE... waits until every node answers. It goes by the start time alone:
# in the first moment the process has not yet the command line of the broker.
ready() {
	local deadline=$((SECONDS + start_timeout)) node pid began dir
	for node in "$@"; do
		dir=$(node_dir "$node")
		read -r pid began <"$dir/pid"
		until answers "$node"; do
			if [[ -z $began || $(start_time "$pid") != "$began" ]]; then
				tail -n 30 "$dir/server.log" >&2
				die "node $node ended while it started; its log is $dir/server.log"
			fi
			if ((SECONDS >= deadline)); then
				tail -n 30 "$dir/server.log" >&2
				die "node $node did not answer within $start_timeout s; its log is $dir/server.log (scripts/kafka.sh stop ends it)"
			fi
			sleep 0.1
		done
	done
}

start() {
	find_java
	lock
	fetch_jars "$pom" '55 MB'
	local node pid targets
	targets=$(chosen "$@")
	for node in $targets; do
		if pid=$(node_pid "$node"); then
			if is_paused "$pid"; then
				kill -CONT "$pid"
				say "was paused: resumed"
			fi
		else
			start_node "$node"
		fi
	done
	# shellcheck disable=SC2086 # one word a node
	ready $targets
	if (($#)); then
		say "node $1 running (pid $(node_pid "$1"))"
		return
	fi
	[[ -z $secure ]] || add_user
	if [[ -n $topic ]]; then
		create_topic "$topic" "$partitions" >&2 || die "topic $topic could not be created"
	fi
	say "running at $brokers (pid $(node_pid 1))"
}

# Brokers end before the controller, which takes their partitions from them.
stop() {
	lock
	local node pid targets
	targets=$(chosen "$@" | sort -rn)
	for node in $targets; do
		if ! pid=$(node_pid "$node"); then
			rm -f "$(node_dir "$node")/pid"
			say "node $node does not run"
			continue
		fi
		kill -TERM "$pid" 2>/dev/null || true
		kill -CONT "$pid" 2>/dev/null || true # a frozen process would never see the SIGTERM
		if ! gone "$pid" "$node" "$stop_timeout"; then
			say "node $node did not stop within $stop_timeout s: SIGKILL"
			kill -KILL "$pid" 2>/dev/null || true
			gone "$pid" "$node" 5 || die "process $pid does not end"
		fi
		rm -f "$(node_dir "$node")/pid"
		say "node $node stopped"
	done
}

# send SIGNAL WORD [NODE] sends the signal to nodes, which have to run.
send() {
	local node pid targets signal=$1 word=$2
	shift 2
	targets=$(chosen "$@")
	for node in $targets; do
		pid=$(node_pid "$node") || die "node $node does not run"
		kill "-$signal" "$pid"
		say "node $node $word"
	done
}

crash() {
	lock
	local node pid targets
	targets=$(chosen "$@")
	for node in $targets; do
		pid=$(node_pid "$node") || die "node $node does not run"
		kill -KILL "$pid"
		gone "$pid" "$node" 5 || die "process $pid does not end"
		rm -f "$(node_dir "$node")/pid"
		say "node $node killed"
	done
}

status() {
	local node pid state rc=0
	local at
	for node in $(all_nodes); do
		if pid=$(node_pid "$node"); then
			state=running
			! is_paused "$pid" || state=paused
			at=$(node_ports "$node")
			echo "node $node $state at $host:${at%%$'\n'*} (pid $pid)"
		else
			echo "node $node stopped"
			rc=3
		fi
	done
	return $rc
}

topic_command() {
	local verb=${1:-}
	[[ -n $verb ]] || die "topic list|create|describe|delete"
	shift
	[[ $verb == list || $# -gt 0 ]] || die "topic $verb: name of the topic?"
	find_java
	fetch_jars "$pom" '55 MB'
	need_running
	case $verb in
	list) topics --list ;;
	create) create_topic "$@" ;;
	describe) topics --describe --topic "$1" ;;
	delete) topics --delete --topic "$1" ;;
	*) die "topic $verb: there are list, create, describe and delete" ;;
	esac
}

# Without kcat: the console consumer has no "up to the end", so it is told how
# many records there are.
consume_with_tools() {
	local name=$1 mode=$2 first last total
	if [[ $mode == follow ]]; then
		tool org.apache.kafka.tools.consumer.ConsoleConsumer \
			--bootstrap-server "$brokers" --topic "$name" --from-beginning
		return
	fi
	offsets() {
		tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$brokers" \
			--topic-partitions "$name" --time "$1" | awk -F: '{ n += $3 } END { print n + 0 }'
	}
	first=$(offsets earliest)
	last=$(offsets latest)
	total=$((last - first))
	if ((total == 0)); then
		[[ $mode != count ]] || echo 0
		return
	fi
	local err
	err=$(mktemp)
	if [[ $mode == count ]]; then
		tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" \
			--topic "$name" --from-beginning --max-messages "$total" --timeout-ms 15000 >/dev/null 2>"$err" || true
		sed -n 's/^Processed a total of \([0-9]*\) messages$/\1/p' "$err"
	else
		tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" \
			--topic "$name" --from-beginning --max-messages "$total" --timeout-ms 15000 2>"$err" || cat "$err" >&2
	fi
	rm -f "$err"
}

consume() {
	local name='' mode=all arg
	for arg in "$@"; do
		case $arg in
		--count) mode=count ;;
		--follow) mode=follow ;;
		-*) die "consume: $arg is not an option; there are --count and --follow" ;;
		*) name=$arg ;;
		esac
	done
	name=${name:-${topic:-test}}
	find_java
	fetch_jars "$pom" '55 MB'
	need_running
	topics --list | grep -qxF -- "$name" || die "there is no topic $name: scripts/kafka.sh topic create $name"
	if ! command -v kcat >/dev/null; then
		consume_with_tools "$name" "$mode"
		return
	fi
	case $mode in
	all) kcat -b "$brokers" -C -t "$name" -o beginning -e -q ;;
	follow) kcat -b "$brokers" -C -t "$name" -o beginning -q -u ;;
	count) kcat -b "$brokers" -C -t "$name" -o beginning -e -q -f '\n' | wc -l | tr -d ' ' ;;
	esac
}

env_lines() {
	echo "KAFKA_BROKERS=$brokers"
	[[ -z $proxied ]] || echo "KAFKA_BEHIND_PROXY=$(addresses "$behind_proxy")"
	[[ -n $secure ]] || return 0
	echo "KAFKA_SSL=$(addresses "$ssl")"
	echo "KAFKA_MTLS=$(addresses "$mtls")"
	echo "KAFKA_SASL_SSL=$(addresses "$sasl_ssl")"
}

clean() {
	local node
	stop
	for node in $(all_nodes); do
		rm -rf "$(node_dir "$node")"
	done
	[[ $cluster == "$base" ]] || rm -rf "$cluster"
	say "data deleted"
}

command=${1:-help}
[[ $# -eq 0 ]] || shift
case $command in
start) start "$@" ;;
stop) stop "$@" ;;
kill) crash "$@" ;;
pause) send STOP paused "$@" ;;
resume) send CONT resumed "$@" ;;
restart) (stop "$@") && start "$@" ;;
status) status ;;
env) env_lines ;;
topic) topic_command "$@" ;;
consume) consume "$@" ;;
log) for node in $(all_nodes); do cat "$(node_dir "$node")/server.log"; done ;;
clean) clean ;;
help | -h | --help) usage ;;
*)
	usage >&2
	die "there is no command $command"
	;;
esac
