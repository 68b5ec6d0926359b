#!/bin/sh
# Measures one design: JSON on standard input, name=value on standard output.
# Replace the arithmetic by the real thing; with jq, a parameter is
# $(jq .level "$DAEDALUS_DESIGN").
design=$(cat)
level=$(echo "$design" | sed 's/.*"level":\([0-9]*\).*/\1/')
block=$(echo "$design" | sed 's/.*"block":\([0-9]*\).*/\1/')
echo "size=$((1000 - 40 * level - block / 4))"
echo "time=$((20 * level + block / 8))"
