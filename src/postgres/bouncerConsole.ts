import type pg from 'pg'
import { badRows } from './checked.ts'
import { createClient, failureOf } from './client.ts'
import { within } from './connection.ts'
import { ClusterError, clusterErrorOf, clusterErrorWith } from './errors.ts'

/**
 * All that is ever sent to a console: none of it changes anything. It speaks the simple protocol alone, one command at a time.
 * https://www.pgbouncer.org/usage.html
 */
const commands = {
  pools: 'SHOW POOLS',
  servers: 'SHOW SERVERS',
  clients: 'SHOW CLIENTS',
  config: 'SHOW CONFIG',
  version: 'SHOW VERSION',
} as const

type Shown = keyof typeof commands

export type ConsoleAddress = { readonly url: string; readonly passwordFile: string | null }

/** PgBouncer's admin console, by one connection that is made when something is asked. */
export type BouncerConsole = {
  /** Reads what a command shows, as `parse` has it. Throws ClusterError; then the next question connects again. */
  show<T>(what: Shown, parse: (rows: unknown) => T): Promise<T>
  close(): void
}

type Open = { readonly client: pg.Client; readonly ready: Promise<unknown> }

/** @param deadlineMs for connecting, and for each answer */
export function createBouncerConsole({
  url,
  passwordFile,
  deadlineMs,
}: ConsoleAddress & { readonly deadlineMs: number }): BouncerConsole {
  let open: Open | null = null
  let isClosed = false

  const drop = (which: pg.Client) => {
    which.connection.stream.destroy()
    if (open?.client === which) open = null
  }
  const connect = (): Open => {
    const client = createClient({ url, passwordFile, applicationName: 'pg-marshal' })
    client.on('error', () => drop(client)).on('end', () => drop(client))
    return { client, ready: within(deadlineMs, client.connect()) }
  }

  return {
    async show(what, parse) {
      if (isClosed) throw clusterErrorWith('CLOSED')
      open ??= connect()
      const { client, ready } = open
      try {
        await ready.catch((error) => refused(failureOf(error, client)))
        const { rows } = await within(deadlineMs, client.query(commands[what]))
        return parse(rows)
      } catch (error) {
        drop(client)
        throw noConsoleOf(clusterErrorOf(failureOf(error, client)))
      }
    },
    close() {
      isClosed = true
      if (open) drop(open.client)
    },
  }
}

/** Up to 1.20 PgBouncer has the first of these for all that it refuses. */
const refusals = new Set(['08P01', '28P01', '28000', '3D000'])

function refused(thrown: unknown): never {
  const error = clusterErrorOf(thrown)
  if (!refusals.has(error.code)) throw error
  const reason =
    'PgBouncer refused the login to its admin console: name a user of stats_users, with the password that auth_file has for it.'
  throw new ClusterError(reason, consoleRefused, false)
}

const consoleRefused = 'CONSOLE_REFUSED'

/** Codes of an answer that no console gives. 42704: PostgreSQL knows no such setting. */
const otherAnswers = new Set(['08P01', '42704', badRows])

const noConsoleOf = (error: ClusterError): ClusterError =>
  otherAnswers.has(error.code)
    ? new ClusterError(
        'What answers there is no admin console of PgBouncer: end its url with /pgbouncer, and let host and port lead to PgBouncer.',
        error.code,
        false,
      )
    : error
