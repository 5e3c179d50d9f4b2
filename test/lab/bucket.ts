import type { Lab } from './lab.ts'
import { storeAccount } from './secrets.ts'

/** What another tool sees in the store: curl, by Swift's own API. */
const curl = `set -eu
read -r secret
bucket=weltenwind-backups
head=$(curl -sf -o /dev/null -D - -H 'X-Storage-User: ${storeAccount}' -H "X-Storage-Pass: $secret" http://192.168.2.20:8080/auth/v1.0 | tr -d '\\r')
url=$(sed -n 's/^x-storage-url: //ip' <<< "$head")
token=$(sed -n 's/^x-auth-token: //ip' <<< "$head")
swift() { curl -s -H "X-Auth-Token: $token" "$@"; }
`

/** The bucket, empty. */
export async function makeBucket(lab: Lab): Promise<void> {
  await inBucket(lab, 'swift -f -X PUT "$url/$bucket"')
}

/** Keys of all objects. */
export async function objects(lab: Lab, prefix = ''): Promise<string[]> {
  return lines(await inBucket(lab, `swift "$url/$bucket?prefix=${inUrl(prefix)}"`))
}

/** What uploads that were not ended have left. */
export async function pieces(lab: Lab): Promise<string[]> {
  const all = lines(await inBucket(lab, 'swift "$url/$bucket+segments" | grep -v "<html>" || true'))
  const whole = await objects(lab)
  return all.filter((piece) => !whole.some((key) => piece.startsWith(`${key}/`)))
}

export async function readObject(lab: Lab, key: string): Promise<string> {
  return inBucket(lab, `swift -f "$url/$bucket/${inUrl(key)}"`)
}

/** Runs a script on a machine with the object on its stdin. */
export async function pipeObject(lab: Lab, host: string, key: string, script: string): Promise<string> {
  const { store } = await lab.secrets()
  const { stdout } = await lab.sh(
    host,
    `${curl}\nset -o pipefail\nswift -f "$url/$bucket/${inUrl(key)}" | ${script}`,
    {
      input: `${store}\n`,
    },
  )
  return stdout
}

/** A script with `swift` (curl as the store's user), `$url` and `$bucket`. */
export async function inBucket(lab: Lab, script: string): Promise<string> {
  const { store } = await lab.secrets()
  return (await lab.sh('pbs', `${curl}${script}`, { input: `${store}\n` })).stdout
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** Keys are made of letters, digits and codes such as `%2F`. */
function inUrl(key: string): string {
  return key.replaceAll('%', '%25')
}
