#!/usr/bin/env bash
# Runs logback with its Kafka appender, what this replaces on the JVM, and prints
# what it took as a line of JSON. cmd/bench calls it for the rival logback.
#   logback/run.sh BROKERS TOPIC THREADS WARM-UP ENTRIES
# The topic has to exist. When it says that it is warm it waits for a line on its
# standard input. Jars come from Maven Central, once, into .logback.
set -euo pipefail

say() { printf 'logback: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}
(($# == 5)) || die 'usage: logback/run.sh BROKERS TOPIC THREADS WARM-UP ENTRIES'
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
base=$here/../.logback
lib=$base/lib

# shellcheck source=scripts/jvm.sh
. "$here/../../scripts/jvm.sh"
find_java
# The one class that is ours is compiled when it is started.
"$java" --list-modules 2>/dev/null | grep -q '^jdk.compiler' ||
	die "no JDK found: install one, 17 or later (Debian: openjdk-17-jdk-headless), or set JAVA_HOME"

fetch_jars "$here/pom.xml" '25 MB'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$java" -Xmx512m -cp "$lib/*" "-Dbench.brokers=$1" "-Dbench.topic=$2" "-Dbench.fallback=$work/fallback.log" \
	"-Dbench.config=$here/logback.xml" "$here/Main.java" "$3" "$4" "$5" 8>&-
