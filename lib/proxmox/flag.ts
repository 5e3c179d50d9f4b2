import * as z from 'zod'

/** Perl has no booleans: the API writes 1 and 0, and newer parts of it true and false. */
export const Flag = z
  .union([z.boolean(), z.number(), z.string()])
  .transform((value) => value === true || Number(value) === 1)
