import type { ListMultipartUploadsOutput, ListPartsOutput } from '@aws-sdk/client-s3'

import type { Client } from './client.ts'

/** An upload of several parts that nobody ended. */
export interface OpenUpload {
  key: string
  id: string
  since: Date
}

export async function openUploadsBelow(client: Client, prefix: string): Promise<OpenUpload[]> {
  const { ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3')
  return client.ask(async (s3) => {
    const found: OpenUpload[] = []
    let next: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}
    while (next) {
      const page: ListMultipartUploadsOutput = await s3.send(
        new ListMultipartUploadsCommand({ Bucket: client.bucket, Prefix: prefix, ...next }),
      )
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key !== undefined && UploadId !== undefined)
          found.push({ key: Key, id: UploadId, since: Initiated ?? new Date(0) })
      }
      next = pageAfter(page)
    }
    return found
  })
}

/** When the store got the last part of it; undefined when it has none, or when it was ended meanwhile. */
export async function lastPartOf(client: Client, { key, id }: OpenUpload): Promise<Date | undefined> {
  const { ListPartsCommand, NoSuchUpload } = await import('@aws-sdk/client-s3')
  return client.ask(async (s3) => {
    let last: Date | undefined
    let marker: string | undefined
    try {
      // Not by the client's own pages: Swift names a next one after the last, and those would never end.
      do {
        const page: ListPartsOutput = await s3.send(
          new ListPartsCommand({
            Bucket: client.bucket,
            Key: key,
            UploadId: id,
            ...(marker === undefined ? {} : { PartNumberMarker: marker }),
          }),
        )
        for (const { LastModified } of page.Parts ?? []) {
          if (LastModified && !(last && last > LastModified)) last = LastModified
        }
        marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined
      } while (marker !== undefined)
    } catch (error) {
      if (!(error instanceof NoSuchUpload)) throw error
    }
    return last
  })
}

export async function abortUpload(client: Client, { key, id }: OpenUpload): Promise<void> {
  const { AbortMultipartUploadCommand, NoSuchUpload } = await import('@aws-sdk/client-s3')
  await client.act(`abort the upload of ${key}`, async (s3) => {
    try {
      await s3.send(new AbortMultipartUploadCommand({ Bucket: client.bucket, Key: key, UploadId: id }))
    } catch (error) {
      // Somebody else has ended it.
      if (!(error instanceof NoSuchUpload)) throw error
    }
  })
}

/** Where the next page begins. A store that says it goes on, and not where, would be asked for ever. */
function pageAfter({ IsTruncated, NextKeyMarker, NextUploadIdMarker }: ListMultipartUploadsOutput) {
  if (IsTruncated !== true || NextKeyMarker === undefined) return undefined
  return {
    KeyMarker: NextKeyMarker,
    ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
  }
}
