/**
 * Sessions at work in a process of their own, like those of a shop: pools of several applications, transactions of some
 * statements with pauses, some that stay open, rows that several want, connections that are made again.
 * `node bench/shift.ts URL SESSIONS` works until its input ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { connect } from './sessions.ts'

/** @returns when all sessions are there */
export async function startShift(url: string, sessions: number): Promise<{ end(): Promise<void> }> {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), url, String(sessions)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  if (child.stdout) await once(child.stdout, 'data')
  return {
    async end() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

const applications = ['web', 'checkout', 'orders-worker', 'reports', 'mailer', 'admin']
const tables = 12

async function work() {
  const [url = '', count] = process.argv.slice(2)
  const admin = await connect(url, 'shift')
  for (let table = 0; table < tables; table++)
    await admin.query(
      `CREATE TABLE t${table} (id int PRIMARY KEY, n int, note text);
       INSERT INTO t${table} SELECT n, 0, 'a note' FROM generate_series(1, 500) AS n`,
    )
  await admin.end()
  process.stdin.on('end', () => process.exit()).resume()
  const starts = Array.from({ length: Number(count) }, async (_, index) => {
    const name = applications[index % applications.length] ?? ''
    return { name, client: await connect(url, name) }
  })
  for (const { name, client } of await Promise.all(starts)) void session(url, name, client)
  process.stdout.write('ready\n')
}

const below = (limit: number) => Math.floor(Math.random() * limit)

async function session(url: string, name: string, first: pg.Client): Promise<void> {
  let client = first
  for (;;) {
    // Few are busy all the time, most now and then.
    await pause(Math.random() ** 3 * 20_000)
    await transaction(client).catch(() => client.query('ROLLBACK').catch(() => {}))
    if (below(200) > 0) continue
    await client.end().catch(() => {})
    client = await connect(url, name)
  }
}

async function transaction(client: pg.Client): Promise<void> {
  const table = below(tables)
  if (below(3) > 0) {
    await client.query(
      `SELECT * FROM t${table} WHERE id = ${below(500)} AND n < ${below(9)} LIMIT ${1 + below(3)}`,
    )
    return
  }
  await client.query('BEGIN')
  for (let step = 0; step <= below(4); step++) {
    await client.query(`SELECT note FROM t${table} WHERE id BETWEEN ${below(500)} AND ${below(500)}`)
    await pause(below(200))
  }
  // A few rows are wanted by many.
  await client.query(
    `UPDATE t${table} SET n = n + 1, note = 'by ${below(1000)}' WHERE id = ${1 + below(below(20) === 0 ? 3 : 500)}`,
  )
  await pause(below(25) === 0 ? below(30_000) : below(300))
  await client.query('COMMIT')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await work()
