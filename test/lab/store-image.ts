import type { Lab } from './lab.ts'

/** What backup-up asks the runtime for; the lab has no registry that could give it. */
export const storeImage = 'docker.io/rustfs/rustfs:1.0.0-rc.3'

/** Lets in who signs with the container's one key. Swift's own tempauth takes keys of the form account:user only. */
const auth = `import os
class OneKey:
    def __init__(self, app):
        self.app = app
    def __call__(self, env, start_response):
        s3 = env.get('s3api.auth_details')
        known = s3 and s3['access_key'] == os.environ['RUSTFS_ACCESS_KEY']
        if known and s3['check_signature'](os.environ['RUSTFS_SECRET_KEY']):
            env['REMOTE_USER'] = s3['access_key']
            env['swift.authorize_override'] = env['swift_owner'] = True
            env['swift.authorize'] = lambda request: None
            return self.app(env, start_response)
        start_response('403 Forbidden', [('Content-Length', '0')])
        return [b'']
def factory(conf, **local):
    return OneKey
`

/** The image's entrypoint: Swift of one node as the store of /data, with the variables of RustFS. */
const entrypoint = String.raw`#!/usr/bin/bash
set -eu
echo "console: $RUSTFS_CONSOLE_ENABLE, address: $RUSTFS_ADDRESS, volumes: $RUSTFS_VOLUMES"
[ -n "$RUSTFS_ACCESS_KEY" ] && [ -n "$RUSTFS_SECRET_KEY" ]
if [ -e /data/refuse ]; then echo 'the stand-in refuses to start' >&2; exit 3; fi
cd /tmp
mkdir -p /data/d1
for ring in account:6202 container:6201 object:6200; do
  name=${'$'}{ring%%:*}
  printf '%s\n' '[DEFAULT]' 'bind_ip = 127.0.0.1' "bind_port = ${'$'}{ring#*:}" 'user = rustfs' 'mount_check = false' 'devices = /data' \
    'workers = 0' '[pipeline:main]' "pipeline = $name-server" "[app:$name-server]" "use = egg:swift#$name" > $name.conf
  swift-$name-server $name.conf &
done
cat > proxy.conf <<C
[DEFAULT]
bind_ip = 0.0.0.0
bind_port = 9000
user = rustfs
workers = 0
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api auth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:auth]
paste.filter_factory = onekey:factory
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
auth_pipeline_check = false
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
C
for name in catch_errors gatekeeper listing_formats bulk copy slo dlo symlink; do
  printf '[filter:%s]\nuse = egg:swift#%s\n' $name $name >> proxy.conf
done
trap exit TERM
swift-proxy-server proxy.conf &
wait -n
`

/** From the machine's own files, as that of PostgreSQL in containers.ts. */
const build = `set -eu
tar=/var/lib/containers/store.tar
if [ -e $tar ]; then exit; fi
root=/var/lib/containers/store; rm -rf $root; mkdir -p $root/{etc/swift,tmp,data,run,var/run/swift,var/cache/swift,dev/shm}
cd /
programs="$(echo /usr/bin/{python3,bash,cat,mkdir,mv,rm})"
modules=$(find /usr/lib/python3 /usr/lib/python3.* -name '*.so')
libraries=$(ldd $programs $modules 2> /dev/null | grep -o '/[^ ]*\\.so[^ ]*' | sort -u)
tar -c --dereference --hard-dereference $programs /usr/bin/swift-{proxy,account,container,object}-server \\
  /usr/bin/swift-ring-builder $libraries /usr/lib/*/liberasurecode* /usr/lib/*/libnullcode* /usr/lib/*/libXorcode* \\
  /usr/lib/python3 /usr/lib/python3.* 2> /dev/null | tar -x -C $root || true
cd $root
ln -s usr/bin bin
printf '%s\\n' root:x:0:0::/root:/bin/bash rustfs:x:10001:10001::/tmp:/bin/bash > etc/passwd
printf '%s\\n' root:x:0: rustfs:x:10001: > etc/group
chmod 1777 tmp; chown -R 10001:10001 data var
printf '%s\\n' '[swift-hash]' 'swift_hash_path_suffix = lab' 'swift_hash_path_prefix = lab' '[storage-policy:0]' 'name = p0' 'default = yes' > etc/swift/swift.conf
for ring in account:6202 container:6201 object:6200; do
  name=\${ring%%:*}
  swift-ring-builder $name.builder create 4 1 1 > /dev/null
  swift-ring-builder $name.builder add --region 1 --zone 1 --ip 127.0.0.1 --port \${ring#*:} --device d1 --weight 1 > /dev/null
  swift-ring-builder $name.builder rebalance > /dev/null
  mv $name.ring.gz etc/swift/
  rm -rf $name.builder backups
done
cat > usr/lib/python3/dist-packages/onekey.py <<'PY'
${auth}PY
cat > entrypoint.sh <<'SH'
${entrypoint}SH
chmod 755 entrypoint.sh
tar --numeric-owner -cf $tar.new . && mv $tar.new $tar
rm -rf $root`

const changes = [
  'ENV PATH=/usr/bin',
  'ENV CRYPTOGRAPHY_OPENSSL_NO_LEGACY=1',
  'ENV RUSTFS_OBS_LOG_DIRECTORY=/logs',
  'USER rustfs',
  'ENTRYPOINT ["/entrypoint.sh"]',
  'VOLUME ["/data"]',
]
  .map((change) => `--change '${change}'`)
  .join(' ')

/** Puts a stand-in for RustFS' image on a machine, under its name. */
export async function placeStoreImage(lab: Lab, host: string, runtime: 'docker' | 'podman'): Promise<void> {
  const has =
    runtime === 'docker'
      ? `docker image inspect ${storeImage} > /dev/null 2>&1`
      : `podman image exists ${storeImage}`
  const start = runtime === 'docker' ? 'systemctl --quiet enable --now docker' : ':'
  await lab.sh(
    host,
    `${build}
${start}
${has} || ${runtime} import ${changes} /var/lib/containers/store.tar ${storeImage} > /dev/null`,
    { timeout: 180_000 },
  )
}

export async function removeStoreImage(lab: Lab, host: string, runtime: 'docker' | 'podman'): Promise<void> {
  await lab.sh(host, `${runtime} image rm -f ${storeImage}; rm -f /var/lib/containers/store.tar`, {
    nothrow: true,
  })
}
