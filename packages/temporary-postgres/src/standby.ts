import { chown, cp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import pg from 'pg'
import { claim, makeBase } from './leftovers.ts'
import { type PostgresOptions, startPostgres, type TemporaryPostgres } from './postgres.ts'

/**
 * A hot standby of a server, from a copy of its files ("Making a Base Backup Using the Low Level API" in the manual: the
 * packages bring no pg_basebackup). It streams, and knows the roles and passwords of its primary.
 * @param settings at least the primary's own `max_connections` and the like: a standby may not have less
 */
export async function startStandby(
  primary: Pick<TemporaryPostgres, 'host' | 'port' | 'url' | 'dataDir'>,
  { settings = {}, packageDir }: Pick<PostgresOptions, 'settings' | 'packageDir'> = {},
): Promise<TemporaryPostgres> {
  const base = await makeBase()
  const dispose = () => rm(base, { recursive: true, force: true, maxRetries: 5 })
  try {
    // A copy that nobody finishes goes at the next start.
    await claim(base)
    await copyCluster(primary, join(base, 'data'))
    const { username, password } = new URL(primary.url)
    // With its password beside them, the data count as whole.
    await writeFile(join(base, 'superuser'), password)
    const conninfo = `host=${primary.host} port=${primary.port} user=${username} password=${password}`
    const server = await startPostgres({
      ...(packageDir ? { packageDir } : {}),
      keepIn: base,
      isClaimed: true,
      settings: { ...settings, primary_conninfo: conninfo },
    })
    return {
      ...server,
      stop: async () => {
        await server.stop()
        await dispose()
      },
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function copyCluster(primary: Pick<TemporaryPostgres, 'url' | 'dataDir'>, data: string): Promise<void> {
  // The backup belongs to its session.
  const client = new pg.Client({ connectionString: primary.url, application_name: 'base-backup' })
  await client.connect()
  try {
    const { rows: versions } = await client.query("SELECT current_setting('server_version_num')::int AS num")
    // Since 15 they have other names.
    const isOld = versions[0].num < 150_000
    await client.query(
      isOld ? "SELECT pg_start_backup('standby', true, false)" : "SELECT pg_backup_start('standby', true)",
    )
    await cp(primary.dataDir, data, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (from) => !/^postmaster\.|^pgsql_tmp/.test(basename(from)),
    })
    const { rows } = await client.query(
      `SELECT labelfile FROM ${isOld ? 'pg_stop_backup(false)' : 'pg_backup_stop()'}`,
    )
    await writeFile(join(data, 'backup_label'), rows[0].labelfile)
    await writeFile(join(data, 'standby.signal'), '')
  } finally {
    await client.end()
  }
  // Made by root, run by the account that owns the primary.
  const { uid, gid } = await stat(primary.dataDir)
  for (const name of ['', ...(await readdir(data, { recursive: true }))])
    await chown(join(data, name), uid, gid)
}
