# shellcheck shell=bash
# What kafka.sh, opensearch.sh and benchmark/logback/run.sh share: Java, jars, and the
# processes that they start. To be sourced by a script that has say, die, base, lib and,
# for ports, host.
# shellcheck disable=SC2154 # base, lib and host are the script's

# start_time PID prints when the process began: with the PID it names one
# process, also after the system has given the number to another.
start_time() {
	local stat fields
	if [[ -r /proc/$1/stat ]]; then
		stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
		read -ra fields <<<"${stat##*) }" # after the name, which may hold blanks
		[[ ${fields[0]} != Z ]] || return 1
		echo "${fields[19]}"
	else
		ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_'
	fi
}

command_line() {
	if [[ -r /proc/$1/cmdline ]]; then
		tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null
	else
		ps -ww -o command= -p "$1" 2>/dev/null
	fi
}

is_paused() {
	local stat
	if [[ -r /proc/$1/stat ]]; then
		stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
		stat=${stat##*) }
		[[ ${stat:0:1} == [Tt] ]]
	else
		[[ $(ps -o state= -p "$1" 2>/dev/null) == T* ]]
	fi
}

port_answers() { (exec 3<>"/dev/tcp/$host/$1") 2>/dev/null; }

# find_java sets java.
find_java() {
	java=java
	if [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/java ]]; then
		java=$JAVA_HOME/bin/java
	fi
	local version
	version=$("$java" -version 2>&1) ||
		die "java not found: install a JDK, 17 or later (Debian: openjdk-17-jre-headless), or set JAVA_HOME"
	version=${version#*\"}
	version=${version%%[.\"-]*}
	if ! [[ $version =~ ^[0-9]+$ ]] || ((version < 17)); then
		die "Java 17 or later is needed, and $java is $version: set JAVA_HOME"
	fi
}

# fetch_jars POM SIZE brings what the POM names into $lib, once. Several scripts may
# do it at the same time.
fetch_jars() {
	local pom=$1
	local stamp
	stamp=$(cksum <"$pom")
	[[ $(cat "$lib/.complete" 2>/dev/null) != "$stamp" ]] || return 0
	command -v mvn >/dev/null ||
		die "mvn not found: install Apache Maven, 3.6 or later (Debian: maven); it fetches the jars"
	mkdir -p "$base"
	if command -v flock >/dev/null; then
		exec 8>"$base/lib.lock"
		flock -w 600 8
		[[ $(cat "$lib/.complete" 2>/dev/null) != "$stamp" ]] || return 0 # another one was faster
	fi
	say "fetching the jars with Maven (about $2, once)"
	local new
	new=$(mktemp -d "$base/lib.XXXXXX")
	if ! mvn -q -B -f "$pom" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$new" >"$base/mvn.log" 2>&1 </dev/null; then
		rm -rf "$new"
		tail -n 20 "$base/mvn.log" >&2
		die "Maven could not fetch the jars; all it said is in $base/mvn.log"
	fi
	echo "$stamp" >"$new/.complete"
	rm -rf "$lib"
	mv "$new" "$lib"
}
