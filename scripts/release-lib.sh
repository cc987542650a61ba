# shellcheck shell=bash
# What release.sh and release-check.sh share; to be sourced after lib.sh. Both
# set scratch, a directory of their own.

# From a hook of git these name a repository, which would be committed to
# wherever the scripts are.
# shellcheck disable=SC2046 # they are words
unset $(git rev-parse --local-env-vars)

# shellcheck disable=SC2154 # root is that of lib.sh
path=$(sed -n 's/^module //p' "$root/go.mod")

# What the documents say as long as there is no release.
# shellcheck disable=SC2034
before_first='No release is tagged|(Until|From) the first release|Until a release is tagged|Nothing is released yet|未发布|首个版本发布'

# module_path MODULE prints the import path of the module in a directory.
module_path() {
	[[ $1 == . ]] && echo "$path" || echo "$path/$1"
}

# tag MODULE VERSION prints the tag by which Go finds that version.
tag() {
	[[ $1 == . ]] && echo "$2" || echo "$1/$2"
}

# publish CLONE VERSION MODULE... fills a file-system proxy, $scratch/proxy, with
# modules as they are tagged in a clone. The go command itself does that: told that
# the clone is what is behind the modules' address, it looks for the tags, and
# packs the modules, as the public proxy does. What it keeps of that in its module
# cache has the layout of a proxy: https://go.dev/ref/mod#module-cache
publish() {
	local clone=$1 version=$2 module queries=()
	shift 2
	for module; do
		queries+=("$(module_path "$module")@$version")
	done
	# shellcheck disable=SC2154 # it is the caller's
	mkdir -p "$scratch/proxy"
	(
		cd "$scratch/proxy" || exit
		GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.file://$clone.insteadOf GIT_CONFIG_VALUE_0=https://$path \
			GO111MODULE=on GOWORK=off GOFLAGS=-modcacherw GOMODCACHE=$scratch/proxy GOPROXY=direct GOVCS='*:all' GOSUMDB=off \
			go mod download "${queries[@]}"
	)
}

host_modules=$(go env GOMODCACHE)
host_proxy=$(go env GOPROXY)
host_cache=$(go env GOCACHE)
host_toolchain=$(go env GOTOOLCHAIN)

# stranger COMMAND... runs a go command as on a machine that has seen neither this
# repository nor any module: ours come from $scratch/proxy, others from where this
# machine gets them, or has them already. Those are not compared with the public
# checksums: they are not what is looked at. With -trimpath what was compiled once
# is found again in the next run, though the directories have other names.
stranger() {
	GOENV=off GO111MODULE=on GOWORK=off GOFLAGS='-modcacherw -trimpath' GOPRIVATE='' GONOPROXY='' GOSUMDB=off \
		GOCACHE=$host_cache GOTOOLCHAIN=$host_toolchain GOPATH=$scratch/gopath GOMODCACHE=$scratch/gopath/pkg/mod GOBIN=$scratch/bin \
		GOPROXY=file://$scratch/proxy/cache/download,file://$host_modules/cache/download,$host_proxy \
		"$@"
}
