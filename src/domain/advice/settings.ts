/** Settings of the server that prevent trouble, with their values for a role in a database. */

import { has } from '../session/versions.ts'

/** All of them, as pg_settings names them. Older servers do not know each. */
export const settingNames = [
  'idle_in_transaction_session_timeout',
  'statement_timeout',
  'lock_timeout',
  'transaction_timeout',
  'idle_session_timeout',
  'log_lock_waits',
  'deadlock_timeout',
  'max_slot_wal_keep_size',
  'idle_replication_slot_timeout',
  'max_prepared_transactions',
] as const

export type SettingName = (typeof settingNames)[number]

/** A value as it is set for a role, for a database, for a role in a database, or (both null) for the whole server. */
export type SetValue = {
  readonly name: SettingName
  readonly role: string | null
  readonly database: string | null
  /** As it stands there: `60s`, `off`, `60000`; null: nobody can say, see role_settings.sql. */
  readonly value: string | null
  /** Unit of a bare number: `ms`, `s`, `MB`; null where it has none. */
  readonly unit: string | null
}

/** Those that not every supported version knows. */
const later = [
  'transaction_timeout',
  'idle_replication_slot_timeout',
] as const satisfies readonly SettingName[]

/** Lists the settings that a server of a version knows, without their values: nobody has read those. */
export const unreadSettings = (versionNum: number): SetValue[] =>
  settingNames
    .filter((name) => later.every((one) => one !== name || has(versionNum, one)))
    .map((name) => ({ name, role: null, database: null, value: null, unit: null }))

/** A role in a database. */
export type Scope = { readonly role: string; readonly database: string }

/** Place of a value, from the strongest. */
export type SetFor = 'role in database' | 'role' | 'database' | 'server'

/** A value that holds at login. `amount`: seconds, bytes, or 1 and 0 for on and off; null where the text cannot be read. */
export type Holding = { readonly text: string; readonly amount: number | null; readonly setFor: SetFor }

/**
 * Finds the value that a session of a role in a database begins with (process_settings in postinit.c). A client may SET
 * another one afterwards, which nobody else sees.
 * @param scope null: for the whole server
 * @returns null where the server does not know the setting, or does not say
 */
export function holding(values: readonly SetValue[], name: SettingName, scope: Scope | null): Holding | null {
  const here = values.filter((one) => one.name === name)
  const is = (role: string | null, database: string | null) =>
    here.find((one) => one.role === role && one.database === database)
  const places: readonly { readonly one: SetValue | undefined; readonly setFor: SetFor }[] = [
    ...(scope
      ? ([
          { one: is(scope.role, scope.database), setFor: 'role in database' },
          { one: is(scope.role, null), setFor: 'role' },
          { one: is(null, scope.database), setFor: 'database' },
        ] as const)
      : []),
    { one: is(null, null), setFor: 'server' },
  ]
  const [found] = places.flatMap(({ one, setFor }) => (one ? [{ one, setFor }] : []))
  if (!found || found.one.value === null) return null
  const { value, unit } = found.one
  const amount = amountOf(value, unit)
  const isBare = /^\d+$/.test(value) && unit !== null && value !== '0'
  return { text: isBare ? `${value}${unit}` : value, amount, setFor: found.setFor }
}

const seconds: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86_400 }
const bytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
}

/** Reads a value: https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES */
function amountOf(value: string, unit: string | null): number | null {
  if (/^(?:on|true|yes)$/i.test(value)) return 1
  if (/^(?:off|false|no)$/i.test(value)) return 0
  const found = /^\s*(-?\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(value)
  if (!found?.[1]) return null
  const number = Number(found[1])
  const name = found[2] || unit
  if (!name || number <= 0) return number
  const factor = seconds[name] ?? bytes[name]
  return factor === undefined ? null : number * factor
}

/** Decides whether a limit holds: 0 is off for times, -1 for sizes. */
export const isLimit = ({ amount }: Holding): boolean => amount !== null && amount > 0

/** Says a value and where it comes from: `off, as on the whole server`. */
export function setForWords(held: Holding | null): string {
  if (held === null) return 'not known'
  const value = held.amount === 0 ? 'off' : held.amount === -1 ? 'no limit' : held.text
  return `${value}, ${held.setFor === 'server' ? 'as on the whole server' : `set for this ${held.setFor.replace(' in ', ' in this ')}`}`
}
