/**
 * The load of `pgbench` (its "TPC-B (sort of)" transaction), made here because the npm package has no pgbench: four
 * clients without pause, in a process of their own. `node bench/load.ts URL` answers each line of its input, a number
 * of milliseconds, with the transactions that were done in that time.
 */

import { createInterface } from 'node:readline'
import type pg from 'pg'
import { connect } from './sessions.ts'

const clients = 4
const accounts = 100_000
/** More than pgbench has: the sessions that wait hold dead rows back, and few rows would get slower from run to run. */
const tellers = 10_000

const [url = ''] = process.argv.slice(2)
const all = await Promise.all(Array.from({ length: clients }, () => connect(url, 'bench-load')))
await all[0]?.query(`
  CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, balance int NOT NULL, filler char(84));
  CREATE TABLE IF NOT EXISTS tellers (id int PRIMARY KEY, balance int NOT NULL, filler char(84));
  CREATE TABLE IF NOT EXISTS history (teller int, account int, delta int, at timestamp);
  INSERT INTO accounts SELECT n, 0, '' FROM generate_series(1, ${accounts}) AS n;
  INSERT INTO tellers SELECT n, 0, '' FROM generate_series(1, ${tellers}) AS n;
  ANALYZE accounts, tellers`)

const below = (limit: number) => 1 + Math.floor(Math.random() * limit)

async function transaction(client: pg.Client): Promise<void> {
  const [account, teller, delta] = [below(accounts), below(tellers), below(5_000)]
  await client.query('BEGIN')
  await client.query({
    name: 'a',
    text: 'UPDATE accounts SET balance = balance + $1 WHERE id = $2',
    values: [delta, account],
  })
  await client.query({ name: 's', text: 'SELECT balance FROM accounts WHERE id = $1', values: [account] })
  await client.query({
    name: 't',
    text: 'UPDATE tellers SET balance = balance + $1 WHERE id = $2',
    values: [delta, teller],
  })
  await client.query({
    name: 'h',
    text: 'INSERT INTO history VALUES ($1, $2, $3, CURRENT_TIMESTAMP)',
    values: [teller, account, delta],
  })
  await client.query('COMMIT')
}

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const until = performance.now() + Number(line)
  let done = 0
  await Promise.all(
    all.map(async (client) => {
      for (; performance.now() < until; done++) await transaction(client)
    }),
  )
  process.stdout.write(`${done}\n`)
}
await Promise.all(all.map((client) => client.end()))
