import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Config, Env } from '../config/config.ts'
import type { Check } from './doctorCheck.ts'

/** Looks who else may read the file with the password of this cluster. Whether it is there, the connection says. */
export function checkPasswordFile({ passwordFile }: Config['clusters'][number]): Check[] {
  if (passwordFile === null || openTo(passwordFile) === 0) return []
  return [
    {
      what: `others may read the password in ${passwordFile}`,
      fix: `chmod 600 '${passwordFile}', for the user that pg-marshal runs as.`,
      needed: false,
    },
  ]
}

/** Looks at the file of libpq, which is passed over where others may read it. */
export function checkPassFile(env: Env): Check[] {
  const path = env.PGPASSFILE ?? join(homedir(), '.pgpass')
  if (openTo(path) === 0) return []
  return [
    {
      what: `${path} is not used, because others may read it`,
      fix: `chmod 600 '${path}', for the user that pg-marshal runs as.`,
      needed: env.PGPASSFILE !== undefined,
    },
  ]
}

/** Returns the permissions of the group and of others; none where the file cannot be seen. */
function openTo(path: string): number {
  try {
    return statSync(path).mode & 0o077
  } catch {
    return 0
  }
}
