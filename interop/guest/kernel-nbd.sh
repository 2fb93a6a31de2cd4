#!/bin/sh
# A medium attached with the kernel's nbd, in a guest that has it. Prints "ok: <what held>" lines.
#
# $OPENMAAS, $OPENMAAS_POOL and the passphrase come in /guest/environment; /guest/sums are the checksums of
# the files that were backed up.
set -eu
. /guest/environment
export OPENMAAS_NODE=/guest/node
disk=/run/disk
openmaas() { "$OPENMAAS" "$@"; }
seconds() { cut -d' ' -f1 /proc/uptime; }
ok() { echo "at $(seconds) s"; echo "ok: $*"; }
field() { sed "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/"; }
engine() { field pid <"$OPENMAAS_POOL/media/$id/engine.json"; }
keeper() { field keeperPid <"$OPENMAAS_POOL/media/$id/engine.json"; }
# The engine that serves now, when it is not the one named.
another_engine() {
  while ! grep -q '"state":"serving"' "$OPENMAAS_POOL/media/$id/engine.json" ||
    [ "$(engine)" = "$1" ]; do sleep 0.2; done
}
drop_caches() { echo 3 >/proc/sys/vm/drop_caches; }
trap 'echo "failed after $(seconds) s"; dmesg | tail -40; tail -5 "$OPENMAAS_POOL"/media/*/engine.log' EXIT

# V8 keeps its cache apart by processor, though what it keeps is the same for all: take ours.
mv "$NODE_COMPILE_CACHE"/* /run/cache
mv /run/cache/* "$(node -p 'require("node:module").enableCompileCache().directory')"
echo "cache at $(seconds) s"

openmaas plug latest --at $disk --json >/run/plug
id=$(field id </run/plug)
device=$(field device </run/plug)
case $device in /dev/nbd*) ok "plugged as $device" ;; *) exit 1 ;; esac
(cd $disk && sha256sum -c -s /guest/sums)
ok 'files are the same'

# Writes with fsync, and reads that miss the cache, while the engine is killed.
written=0
first=$(engine)
for round in 1 2 3 4 5 6; do
  drop_caches
  # Stopped first, so that requests have surely been sent to it and are not answered.
  if [ "$round" = 3 ]; then kill -STOP "$first"; fi
  dd if=/guest/node of=$disk/copy$round bs=64k count=16 skip=$((round * 16)) conv=fsync 2>/dev/null &
  if [ "$round" = 3 ]; then
    before=$(engine)
    sleep 1
    kill -9 "$before"
    ok "killed engine $before"
    (cd $disk && sha256sum -c -s /guest/sums)
    another_engine "$before"
  fi
  wait $!
  written=$((written + 1))
done
[ "$(engine)" != "$first" ]
dmesg | grep -q 'Possible stuck request'
ok 'unanswered requests were sent again'
drop_caches
for round in 1 2 3 4 5 6; do
  dd if=/guest/node bs=64k count=16 skip=$((round * 16)) 2>/dev/null | cmp - $disk/copy$round
done
ok "$written fsynced files are there after a kill"
(cd $disk && sha256sum -c -s /guest/sums)
umount $disk
e2fsck -fn "$device" >/dev/null 2>&1
ok 'e2fsck is clean'

mount "$device" $disk
echo durable >$disk/flushed
sync -f $disk/flushed 2>/dev/null || sync
kill -9 "$(keeper)" "$(engine)"
openmaas plug --resume "$id" --json >/run/plug
device=$(field device </run/plug)
[ "$(cat $disk/flushed)" = durable ]
ok "resumed as $device after engine and keeper were killed at once"

openmaas eject "$id"
[ "$(ls "$OPENMAAS_POOL/media")" = layers ]
[ -z "$(ls "$OPENMAAS_POOL/media/layers")" ]
! grep -q openmaas /proc/mounts
! ls /sys/block/nbd*/backend 2>/dev/null
! ps | grep -v grep | grep -q engine/main
ok 'ejected without a trace'
trap - EXIT
