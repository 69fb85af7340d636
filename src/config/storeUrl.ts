import { z } from 'zod'
import { readDatabaseUrl } from '../domain/text/databaseUrl.ts'

const storeHint =
  'Write sqlite: and a path, like sqlite:./data/pg-marshal.db, or postgres://user@host/database.'

/** Address of the store: a file of SQLite, or a database of PostgreSQL. Every error is a sentence for people. */
export const storeUrl = z.string({ error: storeHint }).transform((text, context) => {
  const fail = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (/^postgres(ql)?:/.test(text)) {
    const read = readDatabaseUrl(text)
    return 'problem' in read ? fail(read.problem) : { kind: 'postgres' as const, url: text }
  }
  const path = /^sqlite:(?:\/\/(?=\/))?(?!\/\/)(.+)$/.exec(text)?.[1]
  if (!path) return fail(storeHint)
  if (path.includes(':memory:')) return fail('Approvals must outlive a restart, so the store needs a file.')
  return { kind: 'sqlite' as const, path }
})
