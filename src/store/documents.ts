import type { Block } from '@slack/types'
import { z } from 'zod'
import type { JournalEvent } from '../domain/approvals/journal.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Calls } from '../domain/incidents/ladder.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import { StoreError } from './failure.ts'
import { callsShape, incidentShape, silenceShape } from './incidentShapes.ts'
import { eventShape, proposalShape } from './proposalShapes.ts'
import { listOf } from './shapes.ts'

/**
 * JSON documents of the store, and how they are read again. A document of an older version is brought up to date. One
 * with another shape is an error that names its row.
 */

/** Version of documents that are written now. Those of 0.1.0 have none. */
const version = 1

export const incidentDocument = versioned<Incident>(
  'incidents',
  incidentShape,
  ({ remedy, ...incident }) => ({
    // Its name in 0.1.0, where other ways out were sentences alone: the next look finds them again.
    ...(remedy !== undefined && { recommendation: remedy && { ...remedy, others: [] } }),
    ...incident,
  }),
)
export const proposalDocument = versioned<Proposal>('proposals', proposalShape, (proposal) => ({
  // 0.1.0 knew of no pooler, and of no denial before it.
  pooled: false,
  denial: null,
  ...proposal,
}))
export const callsDocument = versioned<Calls>('calls', callsShape)
export const silenceDocument = versioned<Silence>('silences', silenceShape)

/** An event is written once, to the letter: the chain of the journal is over its text. So it has no version. */
export const readEvent = (seq: number, json: string): JournalEvent =>
  fitting('journal', seq, eventShape, parsed(json))

/** Only carried to Slack, which looks closer. */
const blocksShape = listOf(
  z.custom<Block>(
    (one) => typeof one === 'object' && one !== null && 'type' in one && typeof one.type === 'string',
  ),
)

export const readBlocks = (id: string, json: string): readonly Block[] =>
  fitting('messages', id, blocksShape, parsed(json))

/** Reader and writer of one kind of document, in the column `data` of its table. */
type Document<T> = {
  write(value: T): string
  /** @throws StoreError when it has another shape */
  read(row: { readonly id: string; readonly data: string }): T
}

type Fields = Readonly<Record<string, unknown>>

/** @param upgrade brings what has no version up to date */
function versioned<T extends object>(
  table: string,
  shape: z.ZodType<T>,
  upgrade: (old: Fields) => Fields = (old) => old,
): Document<T> {
  return {
    write: (value) => JSON.stringify({ version, ...value }),
    read({ id, data }) {
      const stored = parsed(data)
      if (typeof stored !== 'object' || stored === null) throw misfit(table, id, 'no object')
      const { version: written = 0, ...fields }: Fields = { ...stored }
      if (written !== 0 && written !== version) throw misfit(table, id, `version ${String(written)}`)
      return fitting(table, id, shape, written === 0 ? upgrade(fields) : fields)
    },
  }
}

function fitting<T>(table: string, id: string | number, shape: z.ZodType<T>, value: unknown): T {
  const { data, error } = shape.safeParse(value)
  // Where it is, and not what stands there: that may be of a database.
  if (error)
    throw misfit(table, id, error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', '))
  return data
}

const misfit = (table: string, id: string | number, what: string): StoreError =>
  new StoreError(
    `I cannot read row ${id} of its table ${table} (${what}), so restore it, or run the version of me that wrote it`,
    null,
  )

/** Undefined where it is no JSON. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
