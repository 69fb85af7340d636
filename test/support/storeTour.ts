import { freshMemory } from '../../src/domain/approvals/secondFactor.ts'
import type { Row } from '../../src/domain/history/chunk.ts'
import { noCalls } from '../../src/domain/incidents/ladder.ts'
import type { Silence } from '../../src/domain/incidents/silence.ts'
import { packPiece } from '../../src/store/history/pieces.ts'
import type { Store, Tables } from '../../src/store/store.ts'
import { incident as incidentOf } from './builders.ts'
import { madeAt, proposal } from './proposals.ts'

/**
 * Asks a store for everything that it can do, one after the other, and always the same: what the statements of a version
 * are (scripts/releaseQueries.ts).
 */
export async function tour(store: Store): Promise<void> {
  const fleet = store.join('a replica', 3_600_000)
  const { leases } = await fleet.round({ clusters: ['orders', 'stock'], unseen: ['stock'] })
  await fleet.round({ clusters: ['orders', 'stock'], unseen: [] })
  await store.probe()
  await store.changes()
  await store.atomically(async (tables) => {
    const lease = leases.get('desk')
    if (lease) {
      await fleet.fence(lease)(tables)
      await tables.leases.holds(lease)
    }
    await incidentsAndProposals(tables)
    await journal(tables)
  })
  await messages(store)
  await people(store)
  await webhooks(store)
  await history(store)
  await sweeps(store)
  await programs(store)
  await fleet.leave()
}

async function incidentsAndProposals({ incidents, proposals }: Tables) {
  const incident = incidentOf({ id: 'i1', openedAt: madeAt })
  await incidents.put(incident)
  await incidents.put({ ...incident, key: 'other', digestId: 'i2' })
  await incidents.put({ ...incident, id: 'i2', cardId: 'i2', resolvedAt: madeAt + 50 })
  await incidents.get('i1')
  await incidents.ofCard('i2')
  await incidents.open('orders')
  await incidents.openOutside([])
  await incidents.openWithKey('unreachable')
  await incidents.openOutside(['stock'])
  await incidents.like('i')
  await incidents.latest(null, 5)
  await incidents.latest(['orders'], 5)
  await incidents.recent('orders', madeAt)
  const made = proposal({ id: 'p1', cardId: 'i1' })
  await proposals.add(made)
  await proposals.add(proposal({ id: 'p2', cardId: 'i1', state: 'denied', decidedBy: 'U0DANA' }))
  const { session, victims, pooled } = made
  const bulk = { members: [{ session, victims, pooled }], leftOut: [], chosenBy: '--app web' }
  await proposals.add(proposal({ id: 'p3', cardId: 'p3', bulk }))
  await proposals.get('p1')
  await proposals.ofCard('i1')
  await proposals.ofPid(4312)
  await proposals.cardsOf(4312)
  await proposals.dueBy(madeAt + 3_600_000)
  await proposals.swap(made, proposal({ id: 'p1', cardId: 'i1', state: 'claimed', decidedBy: 'U0DANA' }))
  await proposals.swap(made, proposal({ id: 'p1', cardId: 'i1', state: 'expired' }))
  await proposals.inState('claimed')
  await proposals.doneSince(madeAt)
  await proposals.decidedSince(0)
  await proposals.madeSince(0)
}

async function journal({ journal }: Tables) {
  const events = [{ kind: 'expired', actor: 'pg-marshal', proposalId: 'p1' }] as const
  for (const event of [...events, ...events]) await journal.append(madeAt, 'i1', event)
  await journal.append(madeAt + 1, null, events[0])
  await journal.ofCards(['i1'], 10)
  await journal.latest(10)
  await journal.latestAbout('orders', ['expired', 'outcome'])
  await journal.since(madeAt, ['expired'])
  await journal.cardsLike('i')
  for await (const _ of journal.all());
}

async function messages({ messages }: Tables) {
  const message = { channel: 'C1', threadOf: null, priority: 1, once: false, text: 'one', blocks: [] }
  await messages.put({ ...message, id: 'm1' }, madeAt)
  await messages.put({ ...message, id: 'm1', text: 'two', urgent: true }, madeAt + 1)
  await messages.put({ ...message, id: 'm1', text: 'two' }, madeAt + 2)
  await messages.put({ ...message, id: 'm2', threadOf: 'm1', broadcast: true, once: true }, madeAt)
  await messages.put({ ...message, id: 'm3', priority: 3 }, madeAt)
  await messages.pending()
  await messages.content('m1')
  await messages.backlog()
  await messages.posting('m1', 0, madeAt + 7)
  await messages.posting('m1', 0, madeAt + 8)
  await messages.seenAt('m1', 'C1', '1.1')
  await messages.delivered('m1', 2, '1.2', madeAt)
  await messages.pending()
  await messages.delivered('m2', 1, '1.3', madeAt)
  await messages.failed('m3', 0, madeAt + 500, 'ratelimited')
  await messages.isWaiting('m3')
  await messages.standing(['m1', 'm3'])
  await messages.lost('m1', '1.2')
  await messages.isKnown('m2')
  await messages.drop('m3')
}

async function people({ silences, secondFactors, calls, refusedBlocks }: Tables) {
  const silence: Silence = {
    id: 's1',
    cluster: 'orders',
    scope: { kind: 'cluster' },
    since: madeAt,
    until: madeAt + 60_000,
    by: 'U0DANA',
    reason: 'planned work',
  }
  await silences.add(silence)
  await silences.ofCluster('orders')
  await silences.all()
  await silences.end('s1')
  await silences.end('s1')
  const made = { userId: 'U0DANA', sealed: 'sealed', enrolledAt: madeAt, ...freshMemory }
  await secondFactors.enroll(made)
  await secondFactors.enroll(made)
  await secondFactors.all()
  const enrolled = await secondFactors.get('U0DANA')
  if (enrolled) {
    await secondFactors.swap(enrolled, { lastStep: 7, wrong: 1, lockedUntil: madeAt })
    await secondFactors.swap(enrolled, freshMemory)
  }
  await secondFactors.remove('U0DANA')
  await calls.put('i1', { ...noCalls, since: madeAt })
  await calls.put('i1', { ...noCalls, since: madeAt, worst: 'critical' })
  await calls.get('i1')
  await calls.calledSince(0)
  await refusedBlocks.put('table', madeAt)
  await refusedBlocks.put('table', madeAt + 1)
  await refusedBlocks.all()
}

async function webhooks({ webhooks }: Tables) {
  await webhooks.tell('r1', 'i1', { severity: 'warning', acknowledgedBy: null })
  await webhooks.tell('r1', 'i1', { severity: 'critical', acknowledgedBy: 'U0DANA' })
  await webhooks.told(['i1', 'i2'])
  for (const [id, receiver, subject] of [
    ['d1', 'r1', 'i1'],
    ['d2', 'r1', 'i1'],
    ['d3', 'r2', 'i1'],
    ['d4', 'r3', 'i2'],
  ] as const)
    await webhooks.enqueue({ id, receiver, subject, document: '{}' }, madeAt)
  const [head] = await webhooks.heads()
  if (head) {
    await webhooks.begin(head, madeAt + 5)
    await webhooks.begin(head, madeAt + 6)
    await webhooks.failed(head.id, madeAt + 7, 'HTTP 500')
  }
  await webhooks.document('d1')
  await webhooks.backlog()
  await webhooks.remove('d1')
  await webhooks.drop('r2', 'i1')
  await webhooks.keepOnly(['r1'])
  await webhooks.keepOnly([])
  await webhooks.tell('r1', 'i1', null)
}

async function sweeps({ sweeps }: Tables) {
  await sweeps.seenTo('idle', 'orders', '0 2 * * * UTC', madeAt)
  await sweeps.seenTo('idle', 'orders', '0 3 * * * UTC', madeAt + 1)
  await sweeps.take('idle', 'orders', '0 3 * * * UTC', madeAt + 2)
  await sweeps.take('idle', 'orders', '0 3 * * * UTC', madeAt + 2)
  await sweeps.keepOnly([{ sweep: 'idle', cluster: 'stock' }])
}

async function programs({ idempotencyKeys }: Tables) {
  const call = { token: 'deploybot', key: 'k1', fingerprint: 'f1' }
  await idempotencyKeys.put(call, 'p1', madeAt)
  await idempotencyKeys.find(call)
  await idempotencyKeys.forgetBefore(madeAt)
}

async function history({ history }: Store) {
  const head = { cluster: 'orders', everyMs: 5000, startedAt: madeAt } as const
  const piece = (piece: number, rows: readonly Row[]) => ({
    ...{ chunk: 'c1', piece, cluster: 'orders', fromAt: madeAt + piece * 5000, toAt: madeAt + piece * 5000 },
    ...{ changes: [madeAt + piece * 5000], data: packPiece(rows) },
  })
  await history.addTexts('orders', new Map([['t1', 'SELECT ?']]), madeAt)
  await history.addTexts('orders', new Map([['t1', 'SELECT ?']]), madeAt + 1)
  await history.addPieces([piece(0, [head, [0, 'no answer']])])
  await history.addPieces([piece(1, [[5000, 'no answer']])])
  await history.between('orders', madeAt, madeAt + 5000)
  await history.at('orders', madeAt + 5000)
  await history.changeAfter('orders', madeAt)
  await history.changeBefore('orders', madeAt)
  await history.join('c1')
  await history.between('orders', madeAt, madeAt + 5000)
  for await (const _ of history.each('orders', madeAt, madeAt + 5000));
  await history.extent()
  await history.shrink(1_000_000)
  await history.shrink(1)
  await history.prune(madeAt + 3_600_000)
}
