#!/usr/bin/env bash
# Deploys the prediction service on this machine, one container after another; see docs/deploy.md.
set -euo pipefail
shopt -s inherit_errexit

usage() {
  cat <<'TEXT'
usage: run.sh [deploy [IMAGE]]   IMAGE is HOST/REPOSITORY@sha256:… or HOST/REPOSITORY:TAG; without one it is
                                 $NETSEC_IMAGE, else $AWS_ECR_LOGIN_URI/$ECR_REPO:latest
       run.sh rollback           the last other image than the one that serves, through the same checks
       run.sh start              what served last, serves again (after a reboot or a crash in a deployment)
       run.sh watch              starts, then restarts the service whenever it stops answering (netsec.service)
       run.sh status             what serves, and what it replaced
       run.sh check              whether the model that serves would be loaded at a start (netsec-check.timer)
       run.sh install            from a checkout of root's: this script, netsec-retrain and the units onto the machine
TEXT
}

# Everything on disk lies below this; empty but in tests.
root="${NETSEC_ROOT:-}"
state_dir="$root/var/lib/netsec"
settings_file="$root/etc/netsec/deploy.env"
server_env="$root/etc/netsec/server.env"
unit_dir="$root/etc/systemd/system"
program_dir="$root/usr/local/sbin"
# The checkout, or where the installed copy lies.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

say() { printf 'run.sh: %s\n' "$*"; }
warn() { printf 'run.sh: %s\n' "$*" >&2; }
fail() {
  warn "$2"
  exit "$1"
}

# What deploy.env may say beside what the clients of AWS read, and server.env may not.
own='NETSEC_(IMAGE|PORT|BIND|PROBE_PORT|READY_SECONDS|MEMORY|WATCH_SECONDS|LOG_DRIVER|LOG_OPTIONS)'

# What a power failure leaves is not taken for no settings. The read succeeds where it finds a zero byte.
is_whole() {
  if [ -f "$1" ] && [ -s "$1" ] && ! IFS= read -rd '' _ <"$1"; then return; fi
  warn "$1: is empty or damaged: write it anew, or remove it"
  return 1
}

is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# What the environment does not say, the file of settings does; the environment wins. A line that cannot be meant ends
# a deployment; what serves is looked after all the same.
unread=
read_settings() {
  local line name number=0
  is_whole "$settings_file" || { unread=yes; return; }
  while IFS=$' \t' read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    case "$line" in '' | \#*) continue ;; esac
    if [[ "$line" =~ ^([A-Z_][A-Z0-9_]*)=([^\"\'$'\r']*)$ ]]; then
      name="${BASH_REMATCH[1]}"
      [ -n "${!name+set}" ] || export "$name=${BASH_REMATCH[2]}"
      [[ "$name" != NETSEC_* || "$name" =~ ^$own$ ]] || warn "$settings_file: $name is none of run.sh's: it does nothing there"
    else
      unread=yes
      warn "$settings_file: line $number is not NAME=value without quotes and with a line end of Unix"
    fi
  done <"$settings_file"
}
if is_there "$settings_file"; then read_settings; fi

# The repository whose images may be deployed, where one is named.
ours="${AWS_ECR_LOGIN_URI:+${ECR_REPO:+${AWS_ECR_LOGIN_URI%/}/$ECR_REPO}}"
port="${NETSEC_PORT:-5000}"
probe_port="${NETSEC_PROBE_PORT:-5001}"
bind="${NETSEC_BIND-0.0.0.0}"
ready_seconds="${NETSEC_READY_SECONDS:-600}"
watch_seconds="${NETSEC_WATCH_SECONDS:-10}"
memory="${NETSEC_MEMORY:-3g}"
# Where a service's log goes, for docker; on this machine within bounds unless another place is named.
local_log=(--log-driver local --log-opt max-size=10m --log-opt max-file=5)
log=("${local_log[@]}")
read -ra log_options <<<"${NETSEC_LOG_OPTIONS:-}"
[ -z "${NETSEC_LOG_DRIVER:-}" ] || log=(--log-driver "$NETSEC_LOG_DRIVER" "${log_options[@]/#/--log-opt=}")

# The one that serves; the one before it, stopped; the one being tried; the one a swap has just stopped.
current=netsec
previous=netsec-previous
probe=netsec-probe
replaced=netsec-replaced
publication='{{with index .HostConfig.PortBindings "5000/tcp"}}{{with index . 0}}{{.HostIp}}:{{.HostPort}}{{end}}{{end}}'
refused="the container engine does not do what is asked: see \`journalctl -u docker\`"
# Whether nothing served before; the image whose container was removed; whether what once served is to serve again.
is_first='' lost='' is_way_back=''

# An engine that hangs would hang the watch, and whoever holds the lock. In the foreground, where a signal to this script
# reaches its call; and killed, since a container that is waited for would be handed the signal.
docker() {
  local seconds=60 code=0
  case "$1 ${2:-}" in
    pull\ *) seconds=900 ;;
    # Made, started, stopped or removed.
    run\ * | exec\ * | "container "[rs]*) seconds=330 ;;
  esac
  timeout --foreground --kill-after=5 "$seconds" docker "$@" || code=$?
  case "$code $1" in
    124\ * | "137 run") warn "no answer within $seconds s to \`docker $1 ${2:-}\`: if the engine hangs, \`systemctl restart docker\`" ;;
  esac
  return "$code"
}

main() {
  local command="${1:-deploy}"
  # Whatever would be passed over was meant.
  [ $# -le 1 ] || [ "$command $#" = "deploy 2" ] || command=unknown
  case "$command" in
    deploy) check_settings; check_server_env; under_lock deploy "${2:-}" ;;
    rollback | start) under_lock "$command" ;;
    watch | status | check) "$command" ;;
    install) install_all ;;
    -h | --help | help) usage ;;
    *) usage >&2; exit 64 ;;
  esac
}

# Before anything is touched: what the engine refuses only once the old container was stopped is an outage.
check_settings() {
  local each octet='(25[0-5]|(2[0-4]|1[0-9]|[1-9])?[0-9])'
  [ -z "$unread" ] || exit 78
  for each in "NETSEC_PORT $port" "NETSEC_PROBE_PORT $probe_port"; do
    fits "${each%% *}" "${each#* }" '[1-9][0-9]{0,4}' "a port"
    [ "${each#* }" -le 65535 ] || fail 78 "${each/ /=} is more than 65535"
  done
  [ "$port" != "$probe_port" ] || fail 78 "NETSEC_PORT and NETSEC_PROBE_PORT are both $port"
  fits NETSEC_BIND "$bind" "$octet(\.$octet){3}" "an IPv4 address"
  is_here || fail 78 "NETSEC_BIND=$bind is no address of this machine: an instance has its private one alone; see \`ip address\`"
  fits NETSEC_READY_SECONDS "$ready_seconds" '[0-9]{1,6}' "a number of seconds"
  check_watch_seconds
  fits NETSEC_MEMORY "$memory" '[0-9]+(\.[0-9]+)?[bkmgBKMG]?(i?[bB])?' "an amount such as 3g"
  fits NETSEC_LOG_DRIVER "${NETSEC_LOG_DRIVER:-local}" '[a-z][a-z0-9._/:-]*' "a log driver of docker's"
  fits NETSEC_LOG_OPTIONS "${NETSEC_LOG_OPTIONS:-}" '( *[a-z][a-z0-9.-]*=[^ ]+)* *' "NAME=VALUE, with spaces between them"
  [ -n "${NETSEC_LOG_DRIVER:-}" ] || [ -z "${NETSEC_LOG_OPTIONS:-}" ] || fail 78 "NETSEC_LOG_OPTIONS is of no NETSEC_LOG_DRIVER"
}

is_here() {
  local known="$root/proc/net/fib_trie"
  case "$bind" in 0.0.0.0 | 127.*) return ;; esac
  [ -f "$known" ] || return 0
  # Its networks and their broadcasts stand there as well.
  awk -v bind="$bind" '$1 == "|--" { here = $2 == bind } here && /host LOCAL/ { ours = 1 } END { exit !ours }' "$known"
}

check_server_env() {
  local mode names line
  is_there "$server_env" || return 0
  is_whole "$server_env" || exit 78
  # Docker's own words name the variable alone.
  line="$(awk '!/^[[:space:]]*(#|$)/ && !/^[[:space:]]*[^ \t=]+(=|$)/ { print NR; exit }' "$server_env")"
  [ -z "$line" ] || fail 78 "$server_env: line $line is not NAME=value, which docker takes without \`export\` and spaces"
  mode="$(stat --dereference --format %a "$server_env")"
  [[ "$mode" == *00 ]] || warn "$server_env has mode $mode: who else has a shell here reads what is in it; give it 600"
  names="$(sed -nE "s/^($own)=.*/\1/p" "$server_env")"
  [ -z "$names" ] || warn "$server_env: what is named ${names//$'\n'/ } does nothing there: it counts in $settings_file"
}

# The way back is open beside settings that cannot be meant and a log that cannot be sent. Without the service's own
# variables it would be another service.
go_back() {
  is_way_back=yes
  check_server_env
  (check_settings && check_port) || take_over_settings
}

take_over_settings() {
  local found published
  found="$(described "$current" 2>/dev/null)" || found="$(cat "$state_dir/serving" 2>/dev/null)" || true
  read -r _ _ memory published <<<"$found"
  [ -n "$published" ] || fail 78 "nothing is known of the settings of what served last: mend those above"
  warn "going on with the settings of what served last: mend those above before the next deployment"
  bind="${published%:*}" bind="${bind:-0.0.0.0}" port="${published##*:}"
  probe_port="$((port == 5001 ? 5002 : 5001))" ready_seconds=600 watch_seconds=10 unread=
  (check_settings) 2>/dev/null || log=("${local_log[@]}")
}

check_watch_seconds() { fits NETSEC_WATCH_SECONDS "$watch_seconds" '[1-9][0-9]{0,5}' "a number of seconds"; }

fits() { [[ "$2" =~ ^($3)$ ]] || fail 78 "$1=${2@Q} is not $4: mend $settings_file or the environment"; }

deploy() {
  install_missing
  prepare
  local image="${1:-${NETSEC_IMAGE:-${ours:+$ours:latest}}}"
  [ -n "$image" ] || fail 64 "which image? Name it, or set AWS_ECR_LOGIN_URI and ECR_REPO in $settings_file"
  image="$(by_digest "$image")"
  # Whoever may run this by sudo names the image: one of elsewhere would get the service's data and settings.
  [ -z "$ours" ] || [ "${image%@*}" = "$ours" ] || fail 64 "$image is not of $ours, which $settings_file names"
  bring_up "$image"
}

rollback() {
  prepare
  local image
  image="$(image_before)"
  if [ -z "$image" ] || { [ "$(state "$current")" != absent ] && [ "$(image_of "$current")" = "$image" ]; }; then
    fail 65 "no other image was replaced yet: there is none to go back to"
  fi
  go_back
  bring_up "$image"
}

# What the engine cannot start any more is to be replaced all the same.
prepare() {
  make_whole || fail 69 "$refused"
  wake || warn "what served last cannot be started: see above"
}

# As it was written down, where the container was tidied away (`docker system prune`); nothing when there is none.
image_before() {
  local now
  now="$(state "$previous")" || return
  if [ "$now" != absent ]; then
    image_of "$previous"
  elif [ -f "$state_dir/previous" ]; then
    cat "$state_dir/previous"
  fi
}

# Image by digest in, service on it out: whatever fails on the way leaves the old one serving.
bring_up() {
  local image="$1"
  if serves "$image"; then
    say "serving already" "image=$image"
    install_unit || warn "the unit could not be installed: a reboot would not bring the service back"
    return
  fi
  check_port
  # What is written at the end alone would be an outage.
  printf '%4096s' "" >"$state_dir/serving.new" || fail 69 "$state_dir cannot be written: make room there"
  pull "$image"
  trap 'undo $?' EXIT
  try_beside "$image"
  swap "$image"
  trap - EXIT
  tidy "$image" || warn "what an older deployment left could not be removed; the next one tries again"
  install_unit || warn "the unit could not be installed: a reboot would not bring the service back"
  say "serving" "image=$image" "port=$port"
}

# The engine would refuse it only once the old container was stopped.
check_port() {
  local now address="${bind/#0.0.0.0/127.0.0.1}"
  now="$(address_of "$current" || true)"
  [ "${now##*:}" != "$port" ] || return 0
  # shellcheck disable=SC2016 # the inner shell's
  if timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" 2>/dev/null; then
    fail 78 "NETSEC_PORT=$port: another program listens there: give another port, or end that program"
  elif [ $? -eq 124 ]; then
    fail 78 "$address:$port neither answers nor refuses: a firewall, perhaps, which would keep the probes away as well"
  fi
}

serves() {
  [ "$(state "$current")" = running ] || return 1
  [ "$(image_of "$current")" = "$1" ] || return 1
  [ "$(docker container inspect --format '{{index .Config.Labels "netsec.settings"}}' "$current")" = "$(settings)" ] || return 1
  answers "$current" readyz
}

# The candidate runs on the same data behind a port of this machine alone.
try_beside() {
  [ "$(state "$probe")" = absent ] || refuse_to_lose_keys
  say "trying" "image=$1" "port=$probe_port"
  try_log "$1"
  # It may make keys and print them: these stay on this machine.
  run_container "$probe" "$1" no "127.0.0.1:$probe_port" "${local_log[@]}"
  wait_for readyz "$probe"
  drop_probe || refuse_to_lose_keys
}

# The engine opens the log at a start alone, and refuses it only then.
try_log() {
  [ "${log[*]}" != "${local_log[*]}" ] || return 0
  if docker run --rm --network none "${log[@]}" --entrypoint true "$1" >/dev/null; then return; fi
  warn "NETSEC_LOG_DRIVER=$NETSEC_LOG_DRIVER cannot be used with NETSEC_LOG_OPTIONS=${NETSEC_LOG_OPTIONS:-}: see above"
  [ -n "$is_way_back" ] || exit 78
  warn "the log stays on this machine until a deployment sends it"
  log=("${local_log[@]}")
}

swap() {
  say "swapping" "image=$1"
  if [ "$(state "$current")" != absent ]; then
    docker container stop "$current" >/dev/null
    docker container rename "$current" "$replaced"
  else
    is_first=yes
    lost="$(written_down image)"
  fi
  run_container "$current" "$1" unless-stopped "$bind:$port" "${log[@]}"
  wait_for readyz "$current"
  commit
}

# From here on the new container serves, whatever happens. What it takes to make it again is written beside its id.
commit() {
  local found
  found="$(described "$current")" || return
  write_down serving "$found"
}

# Its id, its image, its memory and where it is published.
described() { docker container inspect --format "{{.Id}} {{.Config.Image}} {{.HostConfig.Memory}} $publication" "$1"; }

# The id or the image; nothing where it is not there: an older run.sh wrote no image.
written_down() {
  local id="" image=""
  [ ! -f "$state_dir/serving" ] || read -r id image _ <"$state_dir/serving" || true
  printf '%s\n' "${!1}"
}

write_down() {
  printf '%s\n' "$2" >"$state_dir/$1.new" && mv "$state_dir/$1.new" "$state_dir/$1"
}

# The rest of its arguments are where the log goes.
run_container() {
  local name="$1" image="$2" restart="$3" address="$4"
  shift 4
  local -a environment=()
  [ ! -f "$server_env" ] || environment=(--env-file "$server_env")
  docker run --detach --name "$name" --restart "$restart" --publish "$address:5000" \
    --label "netsec.settings=$(settings)" "${environment[@]}" \
    --mount type=volume,source=netsec-data,target=/data \
    --read-only --tmpfs /tmp:rw,noexec,nosuid,size=64m --cap-drop ALL --security-opt no-new-privileges \
    --memory "$memory" --pids-limit 512 --stop-timeout 40 "$@" \
    "$image" >/dev/null
}

# What of a container is not its image: another value makes the next deployment start it anew.
settings() {
  {
    printf '%s\n' "$port" "${NETSEC_BIND:-}" "$memory"
    [ -z "${NETSEC_LOG_DRIVER:-}" ] || printf '%s\n' "${log[@]}"
    [ ! -f "$server_env" ] || cat "$server_env"
  } | sha256sum | cut -c1-16
}

wait_for() {
  local path="$1" name="$2" begun="$SECONDS"
  until answers "$name" "$path"; do
    if [ "$(state "$name")" != running ] || ! [ $((SECONDS - begun)) -lt "$ready_seconds" ]; then
      docker container logs --tail 30 "$name" 2>&1 | without_keys >&2 || true
      fail 69 "$name is $(state "$name") and has no good answer at /$path after $((SECONDS - begun)) of $ready_seconds s"
    fi
    sleep 1
  done
}

# Where the container is published, whatever the settings have become since.
answers() {
  local address
  address="$(address_of "$1")" || return
  # Neither root's settings of curl nor a proxy have a part in what this machine asks of itself.
  curl --disable --noproxy '*' --fail --silent --show-error --max-time 3 --output /dev/null "http://$address/$2" 2>/dev/null
}

address_of() {
  local published
  published="$(docker container inspect --format "$publication" "$1" 2>/dev/null)" || return
  case "$published" in
    0.0.0.0:* | :*) printf '127.0.0.1:%s\n' "${published##*:}" ;;
    *) printf '%s\n' "$published" ;;
  esac
}

# Keys that a first start has made are printed once, by a container that goes: also by one that failed afterwards.
drop_probe() {
  local now
  now="$(state "$probe")" || return
  [ "$now" != absent ] || return 0
  # Its words are nowhere else then.
  keep_first_words || { docker container stop "$probe" >/dev/null; return 1; }
  docker container rm --force "$probe" >/dev/null
}

refuse_to_lose_keys() {
  fail 69 "what the new image printed first, its keys perhaps, could not be kept in $state_dir: make room there and
  deploy again, or see \`docker logs $probe\`, then \`docker rm $probe\`"
}

keep_first_words() {
  local words
  words="$(docker container logs "$probe" 2>&1)" || return
  if [[ "$words" =~ netsec_[0-9a-f]{16} ]]; then
    (umask 077 && printf '%s\n' "$words" >"$state_dir/first-start.log.new") || return
    mv "$state_dir/first-start.log.new" "$state_dir/first-start.log" || return
    say "keys were made: note them, then remove the file" "file=$state_dir/first-start.log"
  fi
}

without_keys() { sed 's/netsec_[0-9a-f]\{8,\}/netsec_***/g'; }

undo() {
  local code="$1"
  trap - EXIT
  [ "$code" -ne 0 ] || code=70
  warn "deployment failed with code $code: back to what served before"
  if [ -n "$is_first" ]; then remove "$current" || true; fi
  stand || warn "this failed as well: \`run.sh start\` tries again"
  exit "$code"
}

start() {
  revive
  (wait_for readyz "$current") || { revive; wait_for readyz "$current"; }
}

# Twice, since the engine goes on with a stop whose caller was killed: what runs now may be about to end.
stand() {
  local now
  recover || return
  make_again || return
  now="$(state "$current")" || return
  [ "$now" = absent ] || has_begun || recover
}

revive() {
  recover || fail 69 "$refused"
  make_again || fail 69 "the container of what served was removed, and could not be made again: see above"
  [ "$(state "$current")" != absent ] || fail 65 "nothing was deployed yet: run \`run.sh deploy\`"
}

# Somebody removed the container of what served: its image was written down. Settings that have changed since count.
make_again() {
  local now image
  now="$(state "$current")" || return
  image="$(written_down image)"
  if [ "$now" != absent ] || [ -z "$image" ]; then return 0; fi
  go_back
  pull "$image" && try_log "$image" && run_container "$current" "$image" unless-stopped "$bind:$port" "${log[@]}" && commit &&
    say "made again" "image=$image" "address=$bind:$port"
}

recover() { make_whole && wake; }

# After a deployment that failed or was killed, from what the engine and the record of the last commit say.
make_whole() {
  local now
  mkdir -p "$state_dir" || return
  forget_login || return
  drop_probe || warn "$probe could not be removed, or not before its words were kept"
  now="$(state "$replaced")" || return
  if [ "$now" != absent ]; then
    if is_committed; then
      keep_replaced || return
    else
      remove "$current" || return
      docker container rename "$replaced" "$current" || return
    fi
  fi
}

wake() {
  local now
  now="$(state "$current")" || return
  case "$now" in
    absent | running) ;;
    paused) docker container unpause "$current" >/dev/null || return ;;
    *) docker container start "$current" >/dev/null || return ;;
  esac
}

is_committed() {
  local now id
  now="$(state "$current")" || return
  [ "$now" != absent ] || return
  id="$(docker container inspect --format '{{.Id}}' "$current")" || return
  [ "$id" = "$(written_down id)" ]
}

# What a rollback goes back to is another image: one that only other settings have replaced is not kept.
keep_replaced() {
  local new old
  new="$(image_of "$current")" || return
  old="$(image_of "$replaced")" || return
  if [ "$new" = "$old" ]; then
    remove "$replaced"
  else
    write_down previous "$old" && remove "$previous" && docker container rename "$replaced" "$previous"
  fi
}

keep_lost() { [ "$lost" = "$1" ] || { write_down previous "$lost" && remove "$previous"; }; }

remove() {
  local now
  now="$(state "$1")" || return
  [ "$now" = absent ] || docker container rm --force "$1" >/dev/null
}

# Keeps the last two images, each with a container.
tidy() {
  local image="$1" kept now known
  now="$(state "$replaced")" || return
  [ "$now" = absent ] || keep_replaced || return
  [ -z "$lost" ] || keep_lost "$image" || return
  kept="$(image_before)" || return
  known="$(docker image ls --all --digests --format '{{.Repository}}@{{.Digest}}' "${image%@*}")" || return
  while read -r old; do
    case "$old" in "" | "$image" | "$kept" | *'<none>') continue ;; esac
    docker image rm "$old" >/dev/null || return
  done <<<"$known"
}

# running, exited, … as the engine says, or absent; fails when the engine does not answer.
state() {
  local all
  all="$(docker ps --all --format '{{.Names}} {{.State}}')" || return
  awk -v name="$1" '$1 == name { found = $2 } END { print found == "" ? "absent" : found }' <<<"$all"
}

image_of() { docker container inspect --format '{{.Config.Image}}' "$1"; }

by_digest() {
  local image="$1" path tag digest region
  case "$image" in
    */*:*@sha256:*) path="${image%@*}"; printf '%s@%s\n' "${path%:*}" "${image##*@}"; return ;;
    *@sha256:*) printf '%s\n' "$image"; return ;;
    */*:*) ;;
    *) fail 64 "$image is neither HOST/REPOSITORY@sha256:… nor HOST/REPOSITORY:TAG" ;;
  esac
  tag="${image##*:}"
  path="${image%:*}"
  region="$(region_of "$image")"
  digest="$(aws ecr describe-images --region "$region" --repository-name "${path#*/}" \
    --image-ids "imageTag=$tag" --query 'imageDetails[0].imageDigest' --output text)" ||
    fail 69 "the registry does not say what $image is: see above"
  case "$digest" in
    sha256:*) printf '%s@%s\n' "$path" "$digest" ;;
    *) fail 69 "the registry gives no digest for $image, but \`$digest\`" ;;
  esac
}

region_of() {
  local host="${1%%/*}" rest
  rest="${host#*.dkr.ecr.}"
  [ "$rest" != "$host" ] || fail 64 "$host is no ECR host: ACCOUNT.dkr.ecr.REGION.amazonaws.com"
  printf '%s\n' "${rest%%.*}"
}

pull() {
  local image="$1" host="${1%%/*}" login region token words
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  region="$(region_of "$image")"
  token="$(aws ecr get-login-password --region "$region")" || fail 69 "the registry gives no password: see above"
  # Its own configuration, so that the token does not stay on the disk.
  login="$state_dir/login"
  (umask 077 && mkdir -p "$login")
  trap forget_login EXIT
  # Of one that succeeded: that the password lies unencrypted in a folder that is about to go.
  words="$(printf '%s' "$token" | DOCKER_CONFIG="$login" docker login --username AWS --password-stdin "$host" 2>&1)" ||
    fail 69 "the registry does not let this machine in: $words"
  DOCKER_CONFIG="$login" docker pull --quiet "$image" >/dev/null || fail 69 "the image could not be pulled: see above"
  forget_login
  trap - EXIT
}

forget_login() { rm -rf "$state_dir/login"; }

install_missing() {
  local tool
  local -a missing=()
  for tool in docker aws curl; do
    type -P "$tool" >/dev/null || missing+=("$tool")
  done
  [ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
  if ! docker info >/dev/null 2>&1; then
    systemctl enable --now docker
    docker info >/dev/null || fail 69 "the container engine does not answer: see \`journalctl -u docker\`"
  fi
}

install_packages() {
  say "installing" "packages=$*"
  [ "$(id -u)" -eq 0 ] || fail 64 "installing $* needs root: run this with sudo"
  local tool package
  if command -v apt-get >/dev/null; then apt-get update -qq; fi
  for tool in "$@"; do
    package="${tool/aws/awscli}"
    if command -v dnf >/dev/null; then
      dnf install --assumeyes --quiet "$package"
    elif command -v apt-get >/dev/null; then
      package="${package/docker/docker.io}"
      # Ubuntu 24.04 has the AWS client as a snap alone.
      apt-get install --yes -qq --no-install-recommends "$package" ||
        { [ "$tool" = aws ] && snap install aws-cli --classic; }
    else
      fail 69 "neither dnf nor apt-get is here: install $tool by hand"
    fi
    type -P "$tool" >/dev/null || fail 69 "$package was installed, and there is still no $tool"
  done
}

install_all() {
  local units="$here/deploy/systemd"
  [ -d "$units" ] || fail 64 "there is no checkout around $here/$(basename "$0"): run the run.sh of one"
  # The unit asks for the engine's.
  install_missing
  mkdir -p "$unit_dir" "$program_dir" "$root/etc/netsec"
  install -m 0755 "$units/netsec-retrain" "$program_dir/netsec-retrain"
  install -m 0644 "$units"/netsec-{retrain,check}.{service,timer} "$unit_dir"
  if command -v systemctl >/dev/null; then systemctl daemon-reload && systemctl enable --now netsec-check.timer; fi
  install_unit
  say "installed" "program=$program_dir/netsec-run"
}

# A deployment from a checkout installs itself, so that a reboot needs no checkout.
install_unit() {
  local unit="$here/deploy/systemd/netsec.service" program="$program_dir/netsec-run"
  if ! command -v systemctl >/dev/null; then return 0; fi
  if [ ! -f "$unit" ] || { cmp --silent "$unit" "$unit_dir/netsec.service" && cmp --silent "$here/run.sh" "$program"; }; then
    # It waits for a first deployment.
    [ ! -f "$unit_dir/netsec.service" ] || systemctl start --no-block netsec.service
    return
  fi
  mkdir -p "$unit_dir" "$program_dir" &&
    install -m 0755 "$here/run.sh" "$program" &&
    systemctl_with "$unit" "$unit_dir"
}

# A unit that the system has not taken up does not stay: the next deployment tries again.
systemctl_with() {
  install -m 0644 "$1" "$2/netsec.service.new" &&
    mv "$2/netsec.service.new" "$2/netsec.service" &&
    systemctl daemon-reload &&
    systemctl enable netsec.service &&
    systemctl restart --no-block netsec.service && return
  rm -f "$2/netsec.service"
  return 1
}

watch() {
  local missed=0
  # What serves is looked after all the same.
  (check_watch_seconds) || watch_seconds=10
  # In a shell of its own: a refusal ends that one alone, and the lock goes with it.
  (under_lock revive) || exit
  has_begun || again
  while sleep "$watch_seconds"; do
    if answers "$current" healthz; then missed=0; continue; fi
    missed=$((missed + 1))
    [ "$missed" -ge 3 ] || continue
    missed=0
    again
  done
}

again() {
  # What makes it anew is to know the settings of now.
  [ "$(state "$current")" != absent ] || fail 69 "the container of what served was removed: the unit begins again, and makes it"
  warn "no answer: restarting"
  (exec 9>"$state_dir/lock" && flock --nonblock 9 && restart) || warn "not restarted: a deployment is under way, or the engine refused"
  has_begun || true
}

# It may have to train first.
has_begun() { (wait_for healthz "$current"); }

# One that does not answer gets less time to end than one that works.
restart() {
  local was
  was="$(state "$current")" || return
  recover || return
  [ "$was" != running ] || docker container restart -t 10 "$current" >/dev/null
}

status() {
  local now image
  now="$(state "$current")" || fail 69 "the container engine does not answer: see above"
  if [ "$now" = absent ]; then image="$(written_down image)"; else image="$(image_of "$current")"; fi
  say "$current" "state=$now" "image=$image"
  say "$previous" "state=$(state "$previous")" "image=$(image_before)"
  answers "$current" readyz || fail 69 "not ready"
  say "ready" "address=$(address_of "$current")"
}

# The service reads no bundle again that it has loaded: what was damaged since, a restart would find.
# Without the lock: a registry that keeps still holds up no rollback. The time ends with the container's own clock, since
# no signal reaches what runs in there.
check() { docker exec "$current" timeout 300 entrypoint --check; }

under_lock() {
  # Whoever may open the lock may hold it.
  mkdir -p "$state_dir" && chmod 0700 "$state_dir"
  exec 9>"$state_dir/lock"
  flock --nonblock 9 || { say "waiting for another deployment to end" && flock --wait 900 9; } ||
    fail 69 "another deployment has held $state_dir/lock for 15 minutes"
  "$@"
}

main "$@"
