import { type Platform, platformName, settingsOf } from '../session/platform.ts'
import { sqlName } from '../text/literal.ts'
import type { Scope, SettingName } from './settings.ts'

/** Facts about the server that a statement depends on. */
export type Target = {
  readonly platform: Platform
  /** A standby takes over what is set on its primary. */
  readonly inRecovery: boolean
}

export type Written = {
  /** Statements, each on its own line; on a managed server perhaps what to set where. */
  readonly statement: string
  /** Takes it back; null where there is no statement for that. */
  readonly undo: string | null
}

/**
 * Writes how a setting is made. A value for a role in a database holds from its next login on, one for the server at once
 * (or after a restart, where the setting asks for one).
 * @param value in PostgreSQL's own units
 * @param scope null: the whole server
 */
export function statementFor(
  { platform, inRecovery }: Target,
  setting: SettingName,
  value: string,
  scope: Scope | null,
): Written {
  const where = inRecovery ? ' -- on the primary' : ''
  if (scope) {
    const of = `ALTER ROLE ${sqlName(scope.role)} IN DATABASE ${sqlName(scope.database)}`
    return {
      statement: `${of} SET ${setting} = '${value}';${where}`,
      undo: `${of} RESET ${setting};${where}`,
    }
  }
  const place = settingsOf(platform)
  if (place !== null)
    return { statement: `${setting} = ${value}, in ${place} of ${platformName(platform)}`, undo: null }
  // A standby has settings of its own for the whole server.
  const system = (change: string) => `ALTER SYSTEM ${change};\nSELECT pg_reload_conf();`
  return { statement: system(`SET ${setting} = '${value}'`), undo: system(`RESET ${setting}`) }
}
