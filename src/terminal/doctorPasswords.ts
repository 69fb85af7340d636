import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Config, Env } from '../config/config.ts'
import type { Check } from './doctorCheck.ts'

/** Looks who else may read the file with the password of this cluster. Whether it is there, the connection says. */
export function checkPasswordFile({
  passwordFile,
}: Pick<Config['clusters'][number], 'passwordFile'>): Check[] {
  if (passwordFile === null) return []
  const mode = openTo(passwordFile)
  if (mode === null || isPrivate(mode)) return []
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
  if (((openTo(path)?.mode ?? 0) & everybodyElse) === 0) return []
  return [
    {
      what: `${path} is not used, because others may read it`,
      fix: `chmod 600 '${path}', for the user that pg-marshal runs as.`,
      needed: env.PGPASSFILE !== undefined,
    },
  ]
}

/** Permissions of the group and of others. */
const everybodyElse = 0o077
const groupMayRead = 0o040

/**
 * Decides whether a file with a password is for its reader alone. One of root's, where the reader is not root, is read by its
 * group: so Kubernetes mounts a Secret for the group of the pod (`fsGroup`), and PostgreSQL takes such a file for a key too
 * (https://www.postgresql.org/docs/current/ssl-tcp.html).
 */
export const isPrivate = ({ mode, uid }: { readonly mode: number; readonly uid: number }): boolean =>
  (mode & everybodyElse & ~(uid === 0 ? groupMayRead : 0)) === 0

/** Returns null where the file cannot be seen. */
function openTo(path: string): { readonly mode: number; readonly uid: number } | null {
  try {
    return statSync(path)
  } catch {
    return null
  }
}
