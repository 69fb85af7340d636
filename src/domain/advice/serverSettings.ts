import { formatDuration } from '../text/duration.ts'
import { listSome } from '../text/sentence.ts'
import { formatSize } from '../text/size.ts'
import type { Evidence, PastTrouble, Prevention } from './prevention.ts'
import { type Holding, holding, isLimit, setForWords } from './settings.ts'
import { statementFor } from './statement.ts'

/** Prevention for the whole server. */
export function serverSettings(known: Evidence): Prevention[] {
  return [storms(known), waitsInLog(known), slotSize(known), idleSlots(known), twoPhase(known)].flatMap(
    (advice) => advice ?? [],
  )
}

/** Findings of one kind. */
type Of<Kind extends string> = Extract<PastTrouble['finding'], { readonly kind: Kind }>

const found = <Kind extends PastTrouble['finding']['kind']>({ troubles }: Evidence, kind: Kind): Of<Kind>[] =>
  troubles.flatMap(({ finding }) => (finding.kind === kind ? [finding as Of<Kind>] : []))

type Change = Pick<Prevention, 'setting' | 'value' | 'trouble' | 'effect'> & {
  readonly held: Holding
  readonly needsRestart?: boolean
}

const make = (
  { target }: Evidence,
  { setting, value, held, trouble, effect, needsRestart = false }: Change,
): Prevention => ({
  ...{ setting, value, scope: null, needsRestart, before: null, trouble, effect },
  ...statementFor(target, setting, value, null),
  now: setForWords(held),
})

/** Seconds after which a waiter looks for a deadlock, in a storm: each look holds all of the lock manager. */
const calmDeadlockTimeout = 5

function storms(known: Evidence): Prevention | null {
  const all = found(known, 'lockStorm')
  const held = holding(known.settings, 'deadlock_timeout', null)
  if (all.length === 0 || !held || (held.amount ?? Number.POSITIVE_INFINITY) >= calmDeadlockTimeout)
    return null
  const most = Math.max(...all.map(({ waiting }) => waiting))
  return make(known, {
    setting: 'deadlock_timeout',
    value: `${calmDeadlockTimeout}s`,
    held,
    trouble: `Lock storm, ${often(all.length)}: up to ${most} sessions waited, and their checks for a deadlock kept the lock manager busy.`,
    effect:
      'A waiter looks for a deadlock later, so fewer of these checks fall together. A real deadlock is broken that much later, and log_lock_waits writes that much later.',
  })
}

/** From 19 on it is on by default. */
function waitsInLog(known: Evidence): Prevention | null {
  const jams = [...found(known, 'blocking'), ...found(known, 'lockCycle'), ...found(known, 'deadlocks')]
  const held = holding(known.settings, 'log_lock_waits', null)
  if (jams.length === 0 || held?.amount !== 0) return null
  return make(known, {
    setting: 'log_lock_waits',
    value: 'on',
    held,
    trouble: `Sessions waited for locks, ${often(jams.length)}, and the server’s log says nothing of it.`,
    effect:
      'It prevents nothing, and proves it: the server writes who waited for whom for longer than deadlock_timeout, a line at the begin and one at the end of each such wait.',
  })
}

function slotSize(known: Evidence): Prevention | null {
  const slots = found(known, 'replicationSlot').map(({ slot }) => slot)
  const held = holding(known.settings, 'max_slot_wal_keep_size', null)
  if (slots.length === 0 || !held || isLimit(held) || held.amount === 0) return null
  const most = Math.max(...slots.map(({ retainedBytes }) => retainedBytes))
  // Twice what counts as trouble here: a consumer that is behind for a while does not lose its slot.
  const limit = Number.isFinite(known.slotRetainsBytes) ? known.slotRetainsBytes * 2 : most
  const value = `${Math.max(1, Math.ceil(limit / 1024 ** 3))}GB`
  return make(known, {
    setting: 'max_slot_wal_keep_size',
    value,
    held,
    trouble: `${slotNames(slots)} kept up to ${formatSize(most)} of WAL.`,
    effect:
      'A slot that would keep more WAL is given up, so the disk does not fill. Its consumer then has to be built again: a standby from a backup, a subscription by a new copy. Choose what the disk can spare.',
  })
}

/** Seconds of a day: nobody mends a consumer sooner over a night. */
const day = 86_400

function idleSlots(known: Evidence): Prevention | null {
  const slots = found(known, 'replicationSlot')
    .map(({ slot }) => slot)
    .filter(({ active }) => !active)
  const held = holding(known.settings, 'idle_replication_slot_timeout', null)
  if (slots.length === 0 || !held || isLimit(held)) return null
  const longest = Math.max(...slots.map(({ inactiveSeconds }) => inactiveSeconds ?? 0))
  return make(known, {
    setting: 'idle_replication_slot_timeout',
    value: '1d',
    held,
    trouble: `${slotNames(slots)} had no consumer${longest > 0 ? ` for up to ${formatDuration(longest)}` : ''}.`,
    effect: `A slot that nobody used for ${formatDuration(day)} is given up at the next checkpoint, and keeps no WAL any more.`,
  })
}

const slotNames = (slots: readonly { readonly name: string }[]): string => {
  const names = [...new Set(slots.map(({ name }) => name))]
  return `${names.length === 1 ? 'Replication slot' : 'Replication slots'} ${listSome(names, 3)}`
}

function twoPhase(known: Evidence): Prevention | null {
  const forgotten = [
    ...found(known, 'preparedTransaction').map(({ prepared }) => prepared),
    ...found(known, 'blocking').flatMap(({ root }) => root.prepared ?? []),
  ]
  const held = holding(known.settings, 'max_prepared_transactions', null)
  if (forgotten.length === 0 || !held || !isLimit(held)) return null
  const gids = [...new Set(forgotten.map(({ gid }) => gid))]
  return make(known, {
    setting: 'max_prepared_transactions',
    value: '0',
    held,
    trouble: `${gids.length === 1 ? 'A prepared transaction was' : `${gids.length} prepared transactions were`} forgotten: ${listSome(gids, 3)}.`,
    effect:
      'PREPARE TRANSACTION is refused. Only where no transaction manager needs it: else let that one finish what it prepares, also after a crash of its own. Nothing may be prepared when the server restarts. A standby needs the value of its primary.',
    needsRestart: true,
  })
}

const often = (times: number): string => (times === 1 ? 'once' : `${times} times`)
