#!/bin/sh
# The design is also in the file that DAEDALUS_DESIGN names, for programs that
# prefer files. {"tool": {"xz": {"level": 6, "extreme": true}}}
set -eu
design=$(cat "$DAEDALUS_DESIGN")
level=$(printf '%s' "$design" | sed -n 's/.*"level": *\([0-9]*\).*/\1/p')
case $design in
*'"gzip"'*) tool="gzip -$level" ;;
*'"bzip2"'*) tool="bzip2 -$level" ;;
*'"extreme":true'*) tool="xz -${level}e" ;;
*) tool="xz -$level" ;;
esac
command -v "${tool%% *}" >/dev/null || {
	echo "infeasible=${tool%% *} is not installed"
	exit 0
}
data=$(mktemp)
trap 'rm -f "$data"' EXIT
tar -cf "$data" ./*.yaml ./*.py ./*.sh
for _ in 1 2 3 4 5; do cat "$data" "$data"; done >"$data.big"
trap 'rm -f "$data" "$data.big"' EXIT
start=$(date +%s%N)
size=$($tool -c <"$data.big" | wc -c)
end=$(date +%s%N)
echo "size_kb=$(awk "BEGIN { print $size / 1000 }")"
echo "time_ms=$(awk "BEGIN { print ($end - $start) / 1e6 }")"
