import type { Env } from '../config/config.ts'
import { readDatabaseUrl, urlAdvice } from '../domain/text/databaseUrl.ts'
import type { Check } from './doctorCheck.ts'

/** Advice: an address that lets others read along works. */
export function checkUrl(url: string, env: Env): Check[] {
  const read = readDatabaseUrl(url)
  const fix = 'problem' in read ? null : urlAdvice(read, env.PGSSLMODE)
  return fix ? [{ what: 'the url leaves the connection open to others', fix, needed: false }] : []
}
