import { isIP } from 'node:net'

import * as z from 'zod'

import { parseCidr } from './addresses.ts'

/** PostgreSQL's NAMEDATALEN - 1, in bytes: it cuts longer names without an error. */
const IDENTIFIER_BYTES = 63

/**
 * A name the inventory gives to something. It starts with a letter because JavaScript sorts keys that
 * look like numbers first, and the order of networks means something.
 */
export const Name = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, {
  error: 'a name starts with a letter and has up to 63 letters, digits, "-", "_" and "."',
  abort: true,
})

/** Text that reaches a shell, a file or a protocol as one line. */
export const Line = z
  .string()
  .min(1, { error: 'must not be empty', abort: true })
  .regex(/^\P{Cc}*$/u, { error: 'has a control character, a line break perhaps; one line is expected' })

/** A database or role name exactly as PostgreSQL stores it. */
export const Identifier = Line.refine((name) => Buffer.byteLength(name) <= IDENTIFIER_BYTES, {
  error: (issue) => `has ${bytes(issue.input)} bytes; PostgreSQL would cut it to ${IDENTIFIER_BYTES}`,
}).meta({ maxLength: IDENTIFIER_BYTES })

/**
 * A database of MongoDB: fewer than 64 bytes, and none of these characters
 * (https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions).
 */
export const MongoDatabaseName = Line.regex(/^[^/\\. "$*<>:|?]+$/, {
  error: 'has a character that MongoDB takes in no database name: one of /\\. "$*<>:|?',
})
  .refine((name) => Buffer.byteLength(name) <= IDENTIFIER_BYTES, {
    error: (issue) => `has ${bytes(issue.input)} bytes; MongoDB takes ${IDENTIFIER_BYTES} at most`,
  })
  .meta({ maxLength: IDENTIFIER_BYTES })

/** As podman and docker take them; nothing that could be read as an option. */
export const ContainerName = Line.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, {
  error: 'a container is named by letters, digits, "_", "." and "-", and begins with a letter or digit',
})

export const AbsolutePath = Line.regex(/^(\/|~\/)/, {
  error: 'a path on the machine starts with "/" or "~/"',
})

/** It stands in a compose file, a unit and as a mount, where other characters would mean something. */
export const ServerFolder = Line.regex(/^(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/, {
  error: 'is no full path of letters, digits, "_", "." and "-", such as /srv/backup-store',
})

/** A name alone would be another image tomorrow. */
export const PinnedImage = Line.regex(
  /^[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$/,
  {
    error: 'is no image with a tag, such as docker.io/rustfs/rustfs:1.0.0-rc.3',
  },
).refine((image) => !image.endsWith(':latest'), {
  error: 'names no version: "latest" is another one tomorrow',
})

export const Address = z
  .string()
  .refine((text) => isIP(text) !== 0, { error: 'is not an IP address such as 192.0.2.10 or 2001:db8::10' })

export const Cidr = z.string().superRefine((text, context) => {
  const parsed = parseCidr(text)
  if (parsed === undefined) {
    context.addIssue({ code: 'custom', message: 'is not a network such as 192.0.2.0/24 or 2001:db8::/64' })
  } else if (!parsed.isNetwork) {
    context.addIssue({ code: 'custom', message: `has host bits set; the network is ${parsed.network}` })
  }
})

export const Port = z.int().min(1, 'ports start at 1').max(65_535, 'ports end at 65535')

export const HttpUrl = Line.refine((text) => /^https?:\/\/./.test(text) && URL.canParse(text), {
  error: 'is not a URL that starts with http:// or https://',
})

/** Of an API and no more: what is asked there is added to it. */
export const HttpsUrl = Line.refine((text) => /^https:\/\/[^/?#@]+\/?$/.test(text) && URL.canParse(text), {
  error: 'is not a URL such as https://192.0.2.10:8006, without path and user',
})

/** SHA-256 of a certificate, as Proxmox shows it; its API writes small letters, openssl capitals. */
export const Fingerprint = Line.regex(/^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/, {
  error: 'is no SHA-256 fingerprint: 32 pairs of hexadecimal digits with ":" between them',
})

/** Of a datastore: https://pbs.proxmox.com/docs/backup-client.html has up to seven levels. */
export const PbsNamespace = z
  .string()
  .regex(/^$|^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*){0,6}$/, {
    error: 'is no namespace such as pve or site/pve',
  })

/** When something runs by itself. */
export const TimeOfWeek = Line.regex(
  /^((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?([01]\d|2[0-3]):[0-5]\d$/,
  'is no time such as 02:30 (each day) or Sun 04:00 (each week)',
)

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, which other stores follow. */
export const BucketName = Line.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, {
  error: 'a bucket is named with 3 to 63 small letters, digits, "." and "-"',
})

/** Public, so that it may stand in a file. The message must not repeat what was written: it may be the secret half. */
export const AgeRecipient = z.string().regex(/^age1[02-9ac-hj-np-z]{20,}$/, {
  error:
    'is no age recipient; `age-keygen` prints one that starts with age1, and its AGE-SECRET-KEY never stands here',
  abort: true,
})

function bytes(input: unknown): number {
  return typeof input === 'string' ? Buffer.byteLength(input) : 0
}
