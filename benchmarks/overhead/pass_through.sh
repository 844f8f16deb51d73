#!/usr/bin/env bash
# CPU (user + system) a relayed request costs the gateway, against the mock upstream, on loopback.
# usage: pass_through.sh [PERF_DIR [CONCURRENCY [ROUNDS]]]   needs gcc, wrk, taskset, curl and two cores
# PERF_DIR holds mock.c, post.lua and body_1.json (default: ../shared/perf beside the checkout).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
perf=${1:-$root/../shared/perf} concurrency=${2:-16} rounds=${3:-3}
for need in gcc wrk taskset curl; do
    command -v "$need" >/dev/null || { echo "SKIPPED: $need is not installed"; exit 0; }
done
folder=$(mktemp -d) gateway='' mock=''
trap 'kill $gateway $mock 2>/dev/null || true; rm -rf "$folder"' EXIT
gcc -O2 -w -o "$folder/mock" "$perf/mock.c"
taskset -c 1 "$folder/mock" 9011 0 & mock=$!
taskset -c 0 "$root/.venv/bin/its-gateway" serve --port 9012 --backend http://127.0.0.1:9011 \
    2>"$folder/log" & gateway=$!
curl -sf --retry 50 --retry-delay 1 --retry-max-time 20 --retry-all-errors -o "$folder/ready" \
    http://127.0.0.1:9012/ready || { cat "$folder/log"; exit 1; }

load() {
    BODY_FILE=$perf/body_1.json taskset -c 1 wrk -t1 -c"$concurrency" -d"$1"s -s "$perf/post.lua" \
        http://127.0.0.1:9012
}
ticks() { awk '{print $14 + $15}' "/proc/$gateway/stat"; }

load 2 >"$folder/warm"
for _ in $(seq "$rounds"); do
    before=$(ticks)
    requests=$(load 3 | sed -n 's/^JSON{"req":\([0-9]*\).*/\1/p')
    after=$(ticks)
    awk -v t=$((after - before)) -v n="$requests" -v hz="$(getconf CLK_TCK)" \
        'BEGIN {printf "%.3f ms of CPU a request, %d requests\n", 1000 * t / hz / n, n}'
done
