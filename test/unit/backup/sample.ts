import { Manifest, type PostgresManifest } from '../../../lib/backup/manifest.ts'

const sha256 = 'a'.repeat(64)

/** A manifest of database shop, with what a test wants to be different. */
export function manifestOf({
  parts = [{ name: 'dump.age', bytes: 10 }],
  ...other
}: Partial<Omit<PostgresManifest, 'parts'>> & { parts?: { name: string; bytes: number }[] } = {}): Manifest {
  return Manifest.parse({
    format: 1,
    kind: 'postgres',
    estate: 'test',
    by: 'ops@desk',
    begun: '2026-11-01T02:00:00.000Z',
    ended: '2026-11-01T02:01:00.000Z',
    taken: '2026-11-01T02:00:01.000Z',
    recipients: ['age1example'],
    cluster: 'main',
    database: 'shop',
    owner: 'shop_app',
    source: { server: 'db', role: 'primary' },
    versions: { server: '17.6', pgDump: '17.6' },
    bytes: 1000,
    tables: { 'public.orders': 3 },
    migrations: null,
    parts: parts.map((part) => ({ ...part, sha256, plain: { bytes: part.bytes, sha256 } })),
    ...other,
  })
}
