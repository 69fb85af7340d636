import { grantorOn, settingOn } from '../domain/session/platform.ts'
import { newerWords } from '../domain/session/versions.ts'
import { sqlIdentifier } from '../domain/text/literal.ts'
import { type Facts, platformFrom } from './rows.ts'

/** One thing that is missing on the server, and the statement that grants it; one a line where it takes several. */
export type MissingPrivilege = {
  readonly what: string
  readonly fix: string
  /** False where the bot works without it, but better with it. */
  readonly needed: boolean
}

/** Two for the service, and two for a `check` or `doctor` beside it. */
const reserved = 4

/** Lists the privileges that the bot's role lacks, worst first. */
export function missingPrivilegesOf(facts: Facts): MissingPrivilege[] {
  const role = sqlIdentifier(facts.role)
  const platform = platformFrom(facts)
  // Who is a superuser needs no hint who may grant. A standby takes no GRANT.
  const hints = [
    platform === 'own' ? '' : `as ${grantorOn(platform)}`,
    facts.in_recovery ? 'on the primary' : '',
  ].filter(Boolean)
  const as = hints.length === 0 ? '' : ` -- ${hints.join(', ')}`
  const newer = newerWords(facts.version_num)
  const advice: MissingPrivilege[] =
    newer === null ? [] : [{ what: newer, fix: 'Look for a newer version of pg-marshal.', needed: false }]
  if (facts.is_superuser)
    return [
      {
        what: `The bot's role ${role} is a superuser. It works, but least privilege is better: a role that may only look and signal.`,
        fix: "CREATE ROLE marshal LOGIN PASSWORD '…'; GRANT pg_monitor, pg_signal_backend TO marshal; -- and log in as it",
        needed: false,
      },
      ...advice,
    ]
  const missing: MissingPrivilege[] = []
  if (!facts.sees_others)
    missing.push({
      what: `The role ${role} does not see what other sessions do, so a calm picture means nothing.`,
      fix: `GRANT pg_monitor TO ${role};${as}`,
      needed: true,
    })
  if (!facts.may_signal)
    missing.push({
      what: `The role ${role} may not cancel or terminate sessions of others.`,
      fix: `GRANT pg_signal_backend TO ${role};${as}`,
      needed: true,
    })
  if (facts.may_signal_autovacuum === false)
    missing.push({
      what: `The role ${role} may not cancel autovacuum workers: what waits behind one that prevents wraparound waits until it is done.`,
      fix: `GRANT pg_signal_autovacuum_worker TO ${role};${as}`,
      needed: false,
    })
  if (facts.may_use_reserved === false) {
    const setting =
      facts.reserved_connections === 0 ? settingOn(platform, 'reserved_connections', reserved) : ''
    // Behind a comment a statement has a line of its own.
    const next = platform === 'own' && as !== '' ? setting.replace(/^ /, '\n') : setting
    missing.push({
      what: `The role ${role} may not use reserved connections, so a restart of the bot fails while all slots are taken.`,
      fix: `GRANT pg_use_reserved_connections TO ${role};${as}${next}`,
      needed: false,
    })
  }
  return [...missing, ...advice]
}
