import type { Lab } from './lab.ts'
import { storeAccount } from './secrets.ts'

/**
 * OpenStack Swift with its S3 API, of one node: from Debian's packages, as no MinIO or RustFS is among them. It checks
 * signatures, takes parts of 5 MiB and more, and keeps everything below /srv/node.
 */
const setUp = String.raw`set -eu
read -r secret
install -d -o swift -g swift /srv/node/d1 /var/cache/swift
cd /etc/swift
cat > swift.conf <<C
[swift-hash]
swift_hash_path_suffix = lab
swift_hash_path_prefix = lab
[storage-policy:0]
name = p0
default = yes
C
for ring in account:6202 container:6201 object:6200; do
  name=${'$'}{ring%%:*}
  rm -f $name.builder $name.ring.gz
  swift-ring-builder $name.builder create 6 1 1 >/dev/null
  swift-ring-builder $name.builder add --region 1 --zone 1 --ip 127.0.0.1 --port ${'$'}{ring#*:} --device d1 --weight 1 >/dev/null
  swift-ring-builder $name.builder rebalance >/dev/null
  cat > $name-server.conf <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${'$'}{ring#*:}
user = swift
mount_check = false
container_update_timeout = 60
devices = /srv/node
workers = 1
[pipeline:main]
pipeline = $name-server
[app:$name-server]
use = egg:swift#$name
[$name-replicator]
[$name-updater]
[$name-auditor]
C
done
umask 077
account=${storeAccount}
cat > proxy-server.conf <<C
[DEFAULT]
bind_ip = 0.0.0.0
bind_port = 8080
user = swift
workers = 1
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk s3api tempauth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_${'$'}{account%%:*}_${'$'}{account#*:} = $secret .admin .reseller_admin
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
min_segment_size = 5242880
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:11211
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:proxy-logging]
use = egg:swift#proxy_logging
C
for name in catch_errors gatekeeper healthcheck listing_formats bulk copy symlink slo dlo; do
  printf '[filter:%s]\nuse = egg:swift#%s\n' $name $name >> proxy-server.conf
done
chown -R swift: /etc/swift
systemctl start memcached
for name in account container object proxy; do
  systemctl stop lab-swift-$name swift-$name 2>/dev/null || true
  systemd-run -q --unit lab-swift-$name -p User=swift swift-$name-server /etc/swift/$name-server.conf
done
for try in $(seq 300); do curl -sf http://127.0.0.1:8080/healthcheck && exit; sleep 0.2; done
exit 1`

/** Starts the store of the lab's inventory on pbs, empty. Its bucket is not made: backup-up does that. */
export async function provisionStore(lab: Lab): Promise<void> {
  const { store } = await lab.secrets()
  await lab.sh('pbs', `rm -rf /srv/node; ${setUp}`, { input: `${store}\n`, timeout: 180_000 })
}

/** Whatever it held is gone. */
export async function removeStore(lab: Lab): Promise<void> {
  await lab.sh(
    'pbs',
    'systemctl stop lab-swift-proxy lab-swift-account lab-swift-container lab-swift-object memcached 2>/dev/null || true; rm -rf /srv/node /etc/swift/*.conf /etc/swift/*.builder /etc/swift/*.ring.gz',
  )
}
