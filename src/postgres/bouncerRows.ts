import { z } from 'zod'
import type { BouncerClient, BouncerPool, BouncerServer } from '../domain/session/pgbouncer.ts'
import { checked } from './checked.ts'

/** Rows of PgBouncer's admin console. Versions differ in columns: those of which not all know are optional. */

const count = z.number().int().nonnegative()
/** Names that clients give themselves may be of any length there. */
const name = z.string().transform((text) => text.slice(0, 64))

const poolRows = z.array(
  z.object({
    database: name,
    user: name,
    cl_active: count,
    cl_waiting: count,
    sv_active: count,
    sv_idle: count,
    sv_used: count,
    sv_tested: count,
    sv_login: count,
    maxwait: count,
    maxwait_us: count.optional(),
    pool_mode: name,
  }),
)

export const poolsFrom = (rows: unknown): BouncerPool[] =>
  checked(poolRows, rows).map((row) => ({
    database: row.database,
    user: row.user,
    mode: row.pool_mode,
    clients: row.cl_active + row.cl_waiting,
    waiting: row.cl_waiting,
    waitSeconds: row.maxwait + (row.maxwait_us ?? 0) / 1e6,
    lent: row.sv_active,
    free: row.sv_idle + row.sv_used + row.sv_tested,
    inLogin: row.sv_login,
  }))

const socket = { user: name, ptr: name, link: name, remote_pid: z.number().int().optional() }

const serverRows = z.array(
  z.object({ ...socket, type: z.literal('S'), database: name, local_addr: name, local_port: count }),
)

export const serversFrom = (rows: unknown): BouncerServer[] =>
  checked(serverRows, rows).map((row) => ({
    database: row.database,
    user: row.user,
    localAddr: row.local_addr,
    localPort: row.local_port,
    backendPid: row.remote_pid ?? 0,
    ptr: row.ptr,
    link: row.link,
  }))

const clientRows = z.array(
  z.object({ ...socket, type: z.literal('C'), addr: name, port: count, application_name: name.optional() }),
)

export const clientsFrom = (rows: unknown): BouncerClient[] =>
  checked(clientRows, rows).map((row) => ({
    user: row.user,
    addr: row.addr,
    port: row.port,
    pid: row.remote_pid ?? 0,
    applicationName: row.application_name ?? '',
    ptr: row.ptr,
    link: row.link,
  }))

const configRows = z.array(z.object({ key: z.string(), value: z.string().nullable() }))

/** Reads the users that may do more than look. */
export function adminsFrom(rows: unknown): string[] {
  const value = checked(configRows, rows).find(({ key }) => key === 'admin_users')?.value ?? ''
  return value.split(',').map((user) => user.trim())
}

const versionRows = z.array(z.object({ version: name })).min(1)

/** Reads `PgBouncer 1.25.0`. */
export const versionFrom = (rows: unknown): string => checked(versionRows, rows)[0]?.version ?? ''
