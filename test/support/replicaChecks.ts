import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseConfig } from '../../src/config/config.ts'
import type { JournalEvent } from '../../src/domain/approvals/journal.ts'
import type { Outcome } from '../../src/domain/approvals/outcome.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { auditVerify } from '../../src/terminal/audit.ts'
import { wordsOf } from './harness.ts'
import { atPort } from './movingStore.ts'
import type { Fleet, Ground, Watched } from './replicas.ts'

/** One jam of a round: who held the row, and until when its process could not write to its log. */
export type Jam = { readonly watched: Watched; readonly rootPid: number; readonly frozenUntil: number }

export type Written = {
  readonly events: readonly (JournalEvent & { readonly at: number; readonly cardId: string })[]
  readonly incidents: readonly Incident[]
}

/** Reads what the replicas wrote down. */
export async function written({ store }: Ground, { storeUrl }: Fleet): Promise<Written> {
  const rows = await store.ask<{ at: string; card_id: string; event: string }>(
    storeUrl,
    'SELECT at, card_id, event FROM journal ORDER BY seq',
  )
  const incidents = await store.ask<{ data: string }>(storeUrl, 'SELECT data FROM incidents')
  return {
    events: rows.map(({ at, card_id, event }) => ({
      ...(JSON.parse(event) as JournalEvent),
      at: Number(at),
      cardId: card_id,
    })),
    incidents: incidents.map(({ data }) => JSON.parse(data)),
  }
}

/** Counts the signals that went out: the rows of the guarded statement, counted by the watched server itself. */
export async function signalsOn({ server }: Watched): Promise<number> {
  const { rows } = await server.admin.query(
    "SELECT coalesce(sum(rows), 0)::int AS n FROM pg_stat_statements WHERE query ~ 'pg_(terminate|cancel)_backend' AND userid = 'marshal'::regrole",
  )
  return rows[0].n
}

/** Times at which the log of the server says that this session was ended by somebody. */
async function endsInLog({ server }: Watched, pid: number): Promise<number[]> {
  const log = await readFile(join(dirname(server.dataDir), 'server.log'), 'utf8')
  return log.split('\n').flatMap((line) => {
    const at = /^(\S+ \S+) \S+ \[(\d+)\] FATAL: {2}terminating connection due to administrator command/.exec(
      line,
    )
    return at && Number(at[2]) === pid ? [Date.parse(`${at[1]}Z`)] : []
  })
}

/** Time by which an end may come into the log after its signal, and clocks may differ. */
const logsLateMs = 700
/** Time from the intent after which a signal is late, where nobody knows more exactly. */
const lateAfterMs = 5000 + logsLateMs

/** Finds the moment that a guarded statement demands to be before; null where it was never known to be sent. */
function deadlineIn(sql: string | null | undefined): number | null {
  const [, before] = /clock_timestamp\(\) < '([^']+)'/.exec(sql ?? '') ?? []
  return before === undefined ? null : Date.parse(before)
}

const surelySent: readonly Outcome['kind'][] = ['effective', 'still']

/** Lists what is not as promised. */
export async function faultsOf(ground: Ground, fleet: Fleet, jams: readonly Jam[]): Promise<string[]> {
  const { events, incidents } = await written(ground, fleet)
  const faults: string[] = []
  const holds = (condition: boolean, what: string) => {
    if (!condition) faults.push(what)
  }
  const intents = events.filter((event) => event.kind === 'intended')
  const outcomes = events.filter((event) => event.kind === 'outcome')
  for (const { proposalId } of intents) {
    const of = (list: readonly { readonly proposalId: string }[]) =>
      list.filter((one) => one.proposalId === proposalId).length
    holds(of(intents) === 1, `proposal ${proposalId} has ${of(intents)} intents`)
    holds(of(outcomes) === 1, `the intent of ${proposalId} has ${of(outcomes)} outcomes`)
  }
  holds(outcomes.length <= intents.length, `${outcomes.length} outcomes for ${intents.length} intents`)

  for (const { watched, rootPid, frozenUntil } of jams) {
    const { name } = watched
    const sent = await signalsOn(watched)
    const here = outcomes.filter(({ session }) => session.cluster === name)
    const sure = here.filter(({ outcome }) => surelySent.includes(outcome.kind)).length
    const perhaps = here.filter(({ outcome }) => outcome.kind === 'unknown').length
    holds(sure <= sent, `${name}: ${sure} outcomes say that a signal was sent, and the server counts ${sent}`)
    holds(
      sent <= sure + perhaps,
      `${name}: the server counts ${sent} signals, ${sure} outcomes say sent and ${perhaps} say unknown`,
    )
    const ends = await endsInLog(watched, rootPid)
    holds(ends.length <= sent, `${name}: the log has ${ends.length} ends for ${sent} signals`)
    // On a machine without time the session is read again long after the intent, and 5 s count from there.
    const allowed = intents
      .filter(({ session }) => session.cluster === name)
      .map(({ at, proposalId }) => {
        const outcome = here.find((one) => one.proposalId === proposalId)
        const deadline = deadlineIn(outcome?.sql)
        return deadline === null ? at + lateAfterMs : deadline + logsLateMs
      })
    for (const end of ends)
      holds(
        end <= Math.max(frozenUntil, ...allowed),
        `${name}: the session ended at ${new Date(end).toISOString()}, later than any approval allowed`,
      )
  }

  const byKey = Map.groupBy(incidents, ({ cluster, key }) => `${cluster} ${key}`)
  for (const [key, same] of byKey) holds(same.length === 1, `${key}: ${same.length} incidents`)
  const calls = Map.groupBy(
    events.filter((event) => event.kind === 'called'),
    ({ cardId, why }) => `${why} of ${cardId}`,
  )
  // What was over and came back calls anew.
  const returnsOf = (cardId: string | undefined) =>
    events.filter((event) => event.kind === 'incidentReopened' && event.cardId === cardId).length
  for (const [call, same] of calls)
    holds(same.length <= 1 + returnsOf(same[0]?.cardId), `${call} was called ${same.length} times`)

  const posted = ground.watched.flatMap(({ name }) => fleet.messages(name))
  const copies = Map.groupBy(posted, (message) => idOf(message.metadata))
  // What a replica says about its own trouble with the store is no part of what they share.
  for (const [id, same] of copies)
    if (id !== null && !id.startsWith('store:')) holds(same.length === 1, `${id} stands ${same.length} times`)
  for (const { cardId } of incidents)
    holds(
      copies.get(cardId)?.length === 1,
      `the incident ${cardId} has ${copies.get(cardId)?.length ?? 0} cards`,
    )
  for (const message of posted)
    holds(!wordsOf(message).includes('sending …'), `a card hangs: ${message.text}`)

  const said: string[] = []
  const out = { write: (text: string) => said.push(text) }
  const settings = JSON.stringify({
    ...JSON.parse(fleet.room.yaml),
    store: { url: atPort(fleet.storeUrl, ground.store.port()) },
  })
  const unused = Object.fromEntries(
    ground.watched.map(({ name, server }) => [`${name.toUpperCase()}_URL`, server.url]),
  )
  const config = parseConfig(settings, { ...fleet.room.env, ...unused })
  const code = await auditVerify({ config, head: null, out, err: out })
  holds(code === 0, `audit verify: ${said.join('')}`)
  return faults
}

const idOf = (metadata: Readonly<Record<string, unknown>> | undefined): string | null => {
  const payload = metadata?.event_payload
  return payload && typeof payload === 'object' && 'id' in payload ? String(payload.id) : null
}
