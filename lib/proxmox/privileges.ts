import * as z from 'zod'

import type { Api } from './api.ts'
import { Flag } from './flag.ts'

/** By path, by privilege: whether it reaches what is below the path. */
const Permissions = z.record(z.string(), z.record(z.string(), Flag))
export type Permissions = z.output<typeof Permissions>

/** What the token may do, on the top paths and on those that have a rule of their own. */
export function readPermissions(api: Api): Promise<Permissions> {
  return api.get('/access/permissions', Permissions)
}

/** Which of these privileges the token lacks on a path. */
export async function lackingOn(api: Api, path: string, privileges: readonly string[]): Promise<string[]> {
  const held = (await api.get('/access/permissions', Permissions, { path }))[path] ?? {}
  return privileges.filter((privilege) => !(privilege in held))
}

/**
 * Paths, from `top` down, on which a privilege is lacking. Lists leave out what the token may not see, and say nothing
 * of it: a guest that is hidden would pass for one that is not there.
 */
export function blindSpots(permissions: Permissions, top: string, privilege: string): string[] {
  if (permissions[top]?.[privilege] !== true) return [top]
  return Object.entries(permissions).flatMap(([path, held]) =>
    path.startsWith(`${top}/`) && !(privilege in held) ? [path] : [],
  )
}
