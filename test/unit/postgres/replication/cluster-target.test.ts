import { describe, expect, test } from 'vitest'

import { clusterPreflight, clusterTarget } from '../../../../lib/postgres/replication/cluster-target.ts'
import { estateOf } from '../../doubles.ts'

const hosts = Object.fromEntries(
  ['pg-1', 'pg-2', 'pg_2', 'other'].map((name, index) => [
    name,
    { addresses: { lan: `192.0.2.${index + 1}` } },
  ]),
)
const cluster = {
  hosts: ['pg-1', 'pg-2'],
  replication: 'standby',
  roles: { standby: { password: 'env:STANDBY' }, app: {} },
  databases: { shop: { owner: 'app', environment: 'development' } },
}

function estate(postgres: Record<string, unknown>) {
  return estateOf({ networks: { lan: { cidr: '192.0.2.0/24' } }, hosts, postgres })
}

async function problems(change: object, flags = {}, asks = true): Promise<string[]> {
  return clusterPreflight(await estate({ main: { ...cluster, ...change } }), flags, asks).problems
}

describe('which cluster', () => {
  test('the only one with several machines is the default', async () => {
    const one = await estate({ main: cluster, small: { hosts: ['other'] }, far: { url: 'env:URL' } })
    expect(clusterTarget(one, undefined).name).toBe('main')
    const two = await estate({ main: cluster, second: { ...cluster, hosts: ['other', 'pg-1'] } })
    expect(() => clusterTarget(two, undefined)).toThrow(/--cluster main or second/)
    expect(() => clusterTarget(two, 'third')).toThrow(/has no PostgreSQL cluster "third"/)
  })

  test('a managed one, or one of a single machine, makes no sense, in one line', async () => {
    const some = await estate({ small: { hosts: ['other'] }, far: { url: 'env:URL' } })
    expect(() => clusterTarget(some, 'far')).toThrow(
      'far is a managed server: who runs it sees to its standbys',
    )
    expect(() => clusterTarget(some, 'small')).toThrow(
      'small has one machine only, other: there is no standby to speak of',
    )
    expect(() => clusterTarget(some, undefined)).toThrow(/no cluster in .* has more than one machine/)
  })
})

describe('told from the inventory alone:', () => {
  test('a healthy one has no problem, and needs the password of the replication role', async () => {
    const found = clusterPreflight(await estate({ main: cluster }), { host: 'pg-2' }, true)
    expect(found).toMatchObject({ problems: [], secrets: ['env:STANDBY'] })
    expect(clusterTarget(await estate({ main: cluster }), 'main').password).toThrow(/STANDBY is not set/)
  })

  test('no replication role, no password for it, a host that is none, slots of one name', async () => {
    expect(await problems({ replication: undefined })).toEqual([
      expect.stringMatching(/main.replication is missing/),
    ])
    expect(await problems({ roles: { standby: {}, app: {} } })).toEqual([
      expect.stringMatching(/standby.password is missing/),
    ])
    expect(await problems({}, { host: 'pg-9' })).toEqual([
      'pg-9 is no machine of main; these are: pg-1, pg-2',
    ])
    expect(await problems({ hosts: ['pg-2', 'pg_2'] })).toEqual([
      expect.stringMatching(/pg-2 and pg_2 would share one/),
    ])
  })

  test('production wants its name, where the task asks', async () => {
    const databases = { shop: { owner: 'app', environment: 'production' } }
    expect(await problems({ databases })).toEqual([expect.stringMatching(/add --confirm main$/)])
    expect(await problems({ databases }, { confirm: 'shop' })).toEqual([
      '--confirm shop does not name the cluster main',
    ])
    expect(await problems({ databases }, { confirm: 'main' })).toEqual([])
    expect(await problems({ databases }, {}, false)).toEqual([])
  })
})
