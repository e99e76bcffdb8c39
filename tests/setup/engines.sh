#!/usr/bin/env bash
# Installs the engines of tests/engines into tests/.cache: Python packages, jars, a Trino server.
#
# From zero it takes about two minutes; when nothing changed it takes none. Each step leaves a
# stamp that is the hash of its pin file, so a changed pin installs again. Nothing is optional:
# what can't be installed fails the run.
set -euo pipefail

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(dirname "$setup")/.cache
mkdir -p "$cache"

say() { printf 'setup: %s\n' "$*"; }
stamp_is() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# Debian packages are asked for only when the command they bring is missing.
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null && return
    say "installing $2 for the command $1"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$2" >/dev/null
    command -v "$1" >/dev/null || { say "no $1 after installing $2"; exit 1; }
}

# environment PINS DIR: a Python environment of its own that holds the packages pinned.
environment() {
    local want pins=$setup/$1 venv=$cache/$2
    want=$(sha256sum "$pins" | cut -d' ' -f1)
    stamp_is "$venv.stamp" "$want" && return
    say "Python packages of $1"
    rm -rf "$venv" "$venv.stamp"
    python3 -m venv "$venv" ||
        { apt-get update -qq; apt-get install -qq -y python3-venv >/dev/null; python3 -m venv "$venv"; }
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$pins"
    echo "$want" >"$venv.stamp"
}

# artifacts PINS DIR: a folder that holds the pinned files of Maven Central; a Trino among them is unpacked beside it.
artifacts() {
    local want sum name group artifact version packaging classifier file pins=$setup/$1 folder=$cache/$2
    want=$(sha256sum "$pins" | cut -d' ' -f1)
    stamp_is "$folder.stamp" "$want" && return
    rm -rf "$folder" "$folder.stamp"
    mkdir -p "$folder"
    while read -r sum name; do
        case $sum in '' | '#'*) continue ;; esac
        IFS=: read -r group artifact version packaging classifier <<<"$name"
        file=$folder/$artifact-$version${classifier:+-$classifier}.$packaging
        say "$name"
        mvn -q -B dependency:copy "-Dartifact=$name" "-DoutputDirectory=$folder" </dev/null
        echo "$sum  $file" | sha256sum --check --quiet || { say "$file is not the pinned file"; exit 1; }
        case $packaging in
        tar.gz)
            rm -rf "$cache/trino"; mkdir "$cache/trino"
            tar -xzf "$file" -C "$cache/trino" --strip-components=1 --wildcards '*/lib/*' '*/NOTICE'; rm "$file" ;;
        zip) # the one plugin that the suites use; all others are left out so that Trino starts fast
            mkdir -p "$cache/trino/plugin"
            python3 -m zipfile -e "$file" "$cache/trino/plugin"
            mv "$cache/trino/plugin/$artifact-$version" "$cache/trino/plugin/${artifact#trino-}"
            rm "$file" ;;
        esac
    done <"$pins"
    echo "$want" >"$folder.stamp"
}

need python3 python3
need javac openjdk-17-jdk-headless
need mvn maven
environment python.txt venv
environment fuzz.txt fuzz
environment s3fs.txt s3fs
environment awscli.txt awscli
environment sharing.txt sharing
environment duckdb.txt duckdb
artifacts artifacts.txt jars
artifacts rck.txt rck
artifacts delta.txt delta
