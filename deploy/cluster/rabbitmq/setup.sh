#!/bin/sh
# The virtual host, an account and the policies of the gateways; may be run again, changes no queue.
#   ./setup.sh [ACCOUNT [VHOST [TAG]]] < keys/broker.password        CTL says how rabbitmqctl is called here
set -eu
here=$(cd "$(dirname "$0")" && pwd)
ctl=${CTL:-rabbitmqctl}
user=${1:-lgsp}
vhost=${2:-lgsp}
tag=${3:-}
password=$(cat)
[ -n "$password" ] || { echo "Thiếu mật khẩu ở stdin / No password on stdin" >&2; exit 2; }

$ctl -q list_vhosts name | grep -qxF "$vhost" || $ctl -q add_vhost "$vhost"
if $ctl -q list_users | cut -f1 | grep -qxF "$user"; then act=change_password; else act=add_user; fi
printf '%s\n' "$password" | $ctl -q $act "$user" >/dev/null
# shellcheck disable=SC2086 - no tag is none
$ctl -q set_user_tags "$user" $tag
$ctl -q set_permissions -p "$vhost" "$user" '.*' '.*' '.*'
sed "s/\"vhost\": \"lgsp\"/\"vhost\": \"$vhost\"/; s/{\"name\": \"lgsp\"}/{\"name\": \"$vhost\"}/" "$here/definitions.json" \
  | $ctl -q import_definitions >/dev/null
echo "RabbitMQ: $vhost, $user, $($ctl -q list_policies -p "$vhost" --no-table-headers | grep -c lgsp-) policies"
