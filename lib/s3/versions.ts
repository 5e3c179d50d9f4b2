import type { Client } from './client.ts'
import { statusOf } from './errors.ts'

/** What one key had at a time: an object, or the mark that says it was deleted. */
export interface ObjectVersion {
  key: string
  version: string
}

/** Whether the bucket keeps what is overwritten or deleted; undefined when the store knows no versions. */
export async function versioningOf(client: Client): Promise<'on' | 'off' | 'suspended' | undefined> {
  const { GetBucketVersioningCommand } = await import('@aws-sdk/client-s3')
  return client.ask(async (s3) => {
    try {
      const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket: client.bucket }))
      if (Status === 'Enabled') return 'on'
      return Status === 'Suspended' ? 'suspended' : 'off'
    } catch (error) {
      if (statusOf(error) === 501) return undefined
      throw error
    }
  })
}

export async function keepVersions(client: Client): Promise<void> {
  const { PutBucketVersioningCommand } = await import('@aws-sdk/client-s3')
  await client.act(`switch versioning on in ${client.name}`, (s3) =>
    s3.send(
      new PutBucketVersioningCommand({
        Bucket: client.bucket,
        VersioningConfiguration: { Status: 'Enabled' },
      }),
    ),
  )
}

/**
 * What is and was below a prefix, 1000 at most; where nothing is kept, what is. Swift gives no second page: to have
 * all of it away, delete these and ask again.
 */
export async function versionsBelow(client: Client, prefix: string): Promise<ObjectVersion[]> {
  const { ListObjectVersionsCommand } = await import('@aws-sdk/client-s3')
  return client.ask(async (s3) => {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: client.bucket, Prefix: prefix }),
    )
    return [...Versions, ...DeleteMarkers].flatMap(({ Key, VersionId }) =>
      Key === undefined ? [] : [{ key: Key, version: VersionId ?? 'null' }],
    )
  })
}

export async function removeVersion(client: Client, { key, version }: ObjectVersion): Promise<void> {
  const { DeleteObjectCommand } = await import('@aws-sdk/client-s3')
  await client.act(`delete ${key}${version === 'null' ? '' : ` (version ${version})`}`, (s3) =>
    s3.send(new DeleteObjectCommand({ Bucket: client.bucket, Key: key, VersionId: version })),
  )
}
