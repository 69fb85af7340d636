import { checkBlocks } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import { findings } from '../../../src/domain/incidents/finding.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { recommendationsFor } from '../../../src/domain/incidents/recommend.ts'
import { detailsModal, type LocksNow } from '../../../src/views/card/details.ts'
import {
  idleInTransaction,
  incident as incidentOf,
  picture,
  relation,
  rowQueue,
  takenAt,
  thresholds,
  waiting,
} from '../../support/builders.ts'
import { proposal } from '../../support/proposals.ts'
import { told } from '../../support/render.ts'

const root = idleInTransaction(1, 400, {
  backendXid: '759',
  query: `UPDATE orders SET note = ${'?'.repeat(4000)}`,
})
const shown = picture(
  [root, waiting(2, 40), waiting(3, 39)],
  rowQueue(1, [
    [2, 40],
    [3, 39],
  ]),
)
const [finding] = findings(shown.snapshot, shown.forest, thresholds)
if (!finding) throw new Error('nothing found')
const id = '3f2a9c1b-0000-4000-8000-000000000001'
const recommendation = recommendationsFor(shown, { protectedSessions: [] })(finding)
const incident = incidentOf({ id, finding, recommendation, mostVictims: 2 })
const other = { action: 'cancel', pid: 3, backendStart: '2026-03-01 02:00:00+00', text: 'Cancel 3.' } as const
const details = (
  over: Partial<Incident> = {},
  {
    asked = {},
    locks = null,
    wait = null,
  }: { asked?: Partial<Proposal>; locks?: LocksNow | null; wait?: string | null } = {},
) =>
  detailsModal({
    locks,
    wait,
    card: {
      cluster: 'orders',
      incident: { ...incident, ...over },
      proposals: [proposal(asked, root)],
      people: { cancel: 1, terminate: 2 },
      approvers: [],
      secondFactor: { cancel: false, terminate: false },
      breakGlass: false,
      silence: null,
    },
    history: [
      {
        ...{ seq: 1, at: takenAt, cardId: id, previous: '0', hash: '1' },
        event: { kind: 'incidentOpened', actor: 'pg-marshal', what: 'Seen for the first time.' },
      },
    ],
    sql: 'SELECT pg_terminate_backend(a.pid);',
    now: takenAt,
  })
const actions = ({ blocks }: ReturnType<typeof details>) =>
  blocks.flatMap((block) => ('elements' in block && block.type === 'actions' ? block.elements : []))

describe('the details of a card', () => {
  it('keep the evidence: why this one, what it does and costs, the statement, the SQL and what happened', () => {
    const modal = details()
    expect(modal).toMatchObject({ type: 'modal', callback_id: 'pg_details', private_metadata: id })
    checkBlocks(modal.blocks as never, 'modal' as never)
    const words = told(modal.blocks)
    for (const said of [
      'Why this one: it waits for no lock itself',
      'Its work: Its transaction is open for 6 min 40 s',
      'Best way out: Terminate 1 (web, idle in transaction for 6 min 40 s',
      'What that costs: The rollback takes a moment only',
      'UPDATE orders SET note',
      'Needs 2 approvals',
      'SELECT pg_terminate_backend(a.pid);',
      'Seen for the first time.',
    ])
      expect(words).toContain(said)
  })

  it('say what the target waits for, above what it holds', () => {
    const wait = 'Client/ClientRead. The server says: Waiting to read data from the client'
    expect(told(details({}, { wait, locks: { locks: [] } }).blocks)).toMatch(
      /Wait event: Client\/ClientRead\. The server says: Waiting to read data from the client\.\n+Locks of/,
    )
    expect(told(details().blocks)).not.toContain('Wait event')
  })

  it('offer each other way out with a button that proposes it for exactly that session', () => {
    const recommendation = incident.recommendation && {
      ...incident.recommendation,
      others: Array.from({ length: 20 }, () => other),
    }
    const modal = details({ recommendation })
    const propose = actions(modal).filter(
      (one) => 'action_id' in one && one.action_id === 'pg_propose_cancel',
    )
    expect(propose).toHaveLength(8)
    expect(JSON.parse(String(Reflect.get(propose[0] ?? {}, 'value')))).toEqual({
      cluster: 'orders',
      pid: 3,
      backendStart: other.backendStart,
    })
    expect(told(modal.blocks)).toContain('12 more ways out: /pg blocking')
  })

  it('say so when it is over, and offer nothing then', () => {
    const recommendation = incident.recommendation && { ...incident.recommendation, others: [other] }
    const modal = details({ recommendation, resolvedAt: takenAt + 60_000, resolution: 'It is gone.' })
    expect(told(modal.blocks)).toContain('It is over. It is gone. It lasted 1 min')
    expect(told(modal.blocks)).not.toContain('pg_terminate_backend')
    expect(actions(modal).map((one) => 'action_id' in one && one.action_id)).toEqual(['pg_refresh'])
  })

  it('say what the target holds, the first few, and who waits for it', () => {
    const lock = (over: object) => ({
      ...{ target: relation('orders'), relationName: 'orders', granted: true, seconds: null },
      ...{ modes: ['RowExclusiveLock', 'AccessShareLock'], others: [2, 3], ...over },
    })
    const locks = [
      lock({}),
      lock({ granted: false, others: [9] }),
      ...Array.from({ length: 6 }, () => lock({})),
    ]
    const words = told(details({}, { locks: { locks } }).blocks)
    expect(words).toContain('Holds RowExclusiveLock and 1 weaker on orders; 2 wait for it')
    expect(words).toContain('Waits for RowExclusiveLock and 1 weaker on orders')
    expect(words).toContain('3 more locks: /pg locks 1')
    expect(told(details({}, { locks: { locks: [] } }).blocks)).toMatch(/Locks of .*: none\./)
    expect(told(details({}, { locks: { gone: true } }).blocks)).toContain('is not there any more')
    expect(told(details({}, { locks: { unread: 'it is late' } }).blocks)).toContain('not read: it is late.')
    expect(told(details().blocks)).not.toContain('Locks of')
  })

  it('name everybody who asked, with why', () => {
    const joined = [{ userId: 'U0RESP', reason: 'deploy\nis stuck' }]
    const words = told(details({}, { asked: { requestedBy: 'U0DEVI', reason: '', joined } }).blocks)
    expect(words).toMatch(/U0DEVI.* asks for it\..*U0RESP.* asks: deploy is stuck\./)
  })
})
