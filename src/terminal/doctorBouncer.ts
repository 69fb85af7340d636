import type { Config, Env } from '../config/config.ts'
import { checkConsole, mostClients } from '../postgres/bouncerReader.ts'
import { ClusterError } from '../postgres/cluster.ts'
import { type Check, fine } from './doctorCheck.ts'
import { checkPasswordFile } from './doctorPasswords.ts'
import { checkUrl } from './doctorUrl.ts'

/** Looks whether the admin console of PgBouncer answers, and whether its user may do more than look. */
export async function checkBouncer(
  { pgbouncer }: Pick<Config['clusters'][number], 'pgbouncer'>,
  env: Env,
): Promise<Check[]> {
  if (pgbouncer === null) return []
  try {
    const { version, isAdmin, clients } = await checkConsole(pgbouncer)
    return [
      fine(`the admin console of ${version} answers`),
      ...(isAdmin
        ? [
            {
              what: 'the user of the admin console of PgBouncer may change and stop it',
              fix: 'Name one of stats_users, who is not in admin_users: pg-marshal only looks.',
              needed: false,
            },
          ]
        : []),
      ...(clients > mostClients
        ? [
            {
              what: `PgBouncer has ${clients} clients, so they are not named`,
              fix: `Up to ${mostClients} are read at a look. Pools that wait are seen all the same.`,
              needed: false,
            },
          ]
        : []),
      ...checkUrl(pgbouncer.url, env),
      ...checkPasswordFile(pgbouncer),
    ]
  } catch (error) {
    if (error instanceof ClusterError)
      return [{ what: 'the admin console of PgBouncer cannot be read', fix: error.reason }]
    throw error
  }
}
