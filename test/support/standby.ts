import { chown, cp, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { prefix } from '../../src/demo/leftovers.ts'
import { type PostgresOptions, startPostgres } from '../../src/demo/postgres.ts'
import { openSession, type TestServer, type TestSession } from './postgres.ts'

export type Standby = {
  readonly url: string
  readonly marshalUrl: string
  /** Opens a session by a connection string of the primary. */
  open(name: string, url: string): Promise<TestSession>
  /** Ends every session that `open` made. */
  closeAll(): Promise<void>
  stop(): Promise<void>
}

/** A hot standby of this server, from a copy of its files: "Making a Base Backup Using the Low Level API". It streams. */
export async function startStandby(
  primary: TestServer,
  settings: NonNullable<PostgresOptions['settings']> = {},
): Promise<Standby> {
  const base = await mkdtemp(join(tmpdir(), prefix))
  const data = join(base, 'data')
  const { admin } = primary
  const isOld = primary.versionNum < 150_000
  await admin.query(
    isOld ? "SELECT pg_start_backup('standby', true, false)" : "SELECT pg_backup_start('standby', true)",
  )
  await cp(primary.dataDir, data, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (from) => !/^postmaster\.|^pgsql_tmp/.test(basename(from)),
  })
  const { rows } = await admin.query(
    `SELECT labelfile FROM ${isOld ? 'pg_stop_backup(false)' : 'pg_backup_stop()'}`,
  )
  await writeFile(join(data, 'backup_label'), rows[0].labelfile)
  await writeFile(join(data, 'standby.signal'), '')
  const { uid, gid } = await stat(primary.dataDir)
  for (const name of ['', ...(await readdir(data, { recursive: true }))])
    await chown(join(data, name), uid, gid)
  const { username, password } = new URL(primary.url)
  // With its password beside them, the data count as whole.
  await writeFile(join(base, 'superuser'), password)
  const conninfo = `host=${primary.host} port=${primary.port} user=${username} password=${password}`
  const packageDir = process.env.PG_MARSHAL_TEST_POSTGRES
  const server = await startPostgres({
    ...(packageDir ? { packageDir } : {}),
    keepIn: base,
    settings: { ...settings, primary_conninfo: conninfo },
  })
  const here = (url: string) => {
    const at = new URL(url)
    at.port = String(server.port)
    return at.href
  }
  const opened: TestSession[] = []
  const closeAll = async () => {
    await Promise.all(opened.splice(0).map((session) => session.close()))
  }
  return {
    url: here(primary.url),
    marshalUrl: here(primary.marshalUrl),
    open: async (name, url) => {
      const session = await openSession(name, here(url))
      opened.push(session)
      return session
    },
    closeAll,
    stop: async () => {
      await closeAll()
      await server.stop()
      await rm(base, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
