import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createExecute } from '../../src/actions/execute.ts'
import { reconcile } from '../../src/actions/reconcile.ts'
import type { ProposalFields } from '../../src/domain/approvals/proposal.ts'
import type { Session } from '../../src/domain/session/session.ts'
import { createLog } from '../../src/log.ts'
import type { Cards } from '../../src/notify/cards.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import { StoreError } from '../../src/store/failure.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { idleInTransaction, locksRead, picture, rowQueue, waiting } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { bulkProposal, madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const session = idleInTransaction(4312, 600)
const config = clusterConfig('orders')

let store: Store
let cards: Cards
beforeEach(async () => {
  store = await openTestStore()
  cards = cardsOf(store)
})
afterEach(() => store.close())

const claim = async (over: Partial<ProposalFields> = {}) => {
  const claimed = proposal({ state: 'claimed', claimedAt: madeAt, ...over }, session)
  await store.proposals.add(claimed)
  return claimed
}
const outcomes = async () =>
  (await store.journal.ofCards(['card-1'], 20)).flatMap(({ event }) =>
    event.kind === 'outcome' ? [event.outcome] : [],
  )
const seeing = (over: Partial<Cluster> = {}) =>
  pictureCluster(picture([session]), [], { isOwn: () => false, look: async () => [session], ...over })

describe('a claim whose process is gone', () => {
  const stillThere = { kind: 'unknown', now: 'The session is still there, idle in transaction.' }
  const takeOver = async (
    over: Partial<ProposalFields>,
    cluster: Cluster | null,
    { isGone = true, after = 0 } = {},
  ) => {
    await claim(over)
    await reconcile({
      cards,
      proposals: store.proposals,
      clusters: cluster ? watching({ config, cluster }) : new Map(),
      isGone: () => isGone,
      now: () => madeAt + after,
    })
    return outcomes()
  }
  const unasked = seeing({ isPast: () => Promise.reject(new Error('nobody need ask')) })
  const unseen = seeing({ isPast: () => Promise.reject(clusterErrorWith('ECONNREFUSED')) })
  const began = { claimedBy: 'gone', signalBefore: '2026-03-01 03:00:05+00' }

  it('sent nothing where it had not begun, whatever the server is like', async () => {
    expect(await takeOver({ claimedBy: 'gone' }, unasked)).toEqual([
      {
        kind: 'notSent',
        why: 'the process that had it ended before it sent anything. It had not yet written down until when the signal may go out, without which none does.',
      },
    ])
  })

  it('is left alone while the process is there', async () => {
    expect(await takeOver(began, unasked, { isGone: false })).toEqual([])
    expect((await store.proposals.inState('claimed')).length).toBe(1)
  })

  it('of a version that wrote no deadline is unknown at once', async () => {
    expect(await takeOver({}, unasked)).toEqual([stillThere])
  })

  it('of a cluster that is not configured any more is unknown at once', async () => {
    expect(await takeOver(began, null)).toEqual([
      { kind: 'unknown', now: 'Cluster orders is not configured any more.' },
    ])
  })

  it('waits for the deadline by the clock of the server, however late it is here', async () => {
    const before = seeing({ isPast: async () => false })
    expect(await takeOver(began, before, { after: 3_600_000 })).toEqual([])
  })

  it('is unknown once that has passed', async () => {
    const asked: string[] = []
    const after = seeing({
      isPast: async (time) => {
        asked.push(time)
        return true
      },
    })
    expect(await takeOver(began, after)).toEqual([stillThere])
    expect(asked).toEqual([began.signalBefore])
  })

  it('of a server that cannot be seen waits for half a minute', async () => {
    expect(await takeOver(began, unseen, { after: 30_000 })).toEqual([])
  })

  it('of a server that cannot be seen is unknown after that', async () => {
    expect(await takeOver(began, unseen, { after: 30_001 })).toEqual([stillThere])
  })
})

describe('a list whose process is gone', () => {
  const began = { signalBefore: '2026-03-01 03:00:05+00', begunAt: madeAt + 100_000 }
  const unseen = seeing({ isPast: () => Promise.reject(clusterErrorWith('ECONNREFUSED')) })

  it.each([
    ['waits', 30_000, []],
    ['is unknown', 30_001, ['unknown', 'notSent']],
  ])('%s for half a minute after the signal that had begun', async (_, after, expected) => {
    const list = bulkProposal<'claimed'>([session, idleInTransaction(4313, 600)], {
      ...{ state: 'claimed', claimedAt: madeAt, claimedBy: 'gone' },
    })
    const members = list.bulk.members.map((member, n) => (n === 0 ? { ...member, ...began } : member))
    await store.proposals.add({ ...list, bulk: { ...list.bulk, members } })
    await reconcile({
      cards,
      proposals: store.proposals,
      clusters: watching({ config, cluster: unseen }),
      isGone: () => true,
      now: () => began.begunAt + after,
    })
    expect((await outcomes()).map(({ kind }) => kind)).toEqual(expected)
  })
})

describe('a process that carries out its claim', () => {
  const sent: string[] = []
  beforeEach(() => {
    sent.length = 0
  })
  const whole = (over: Partial<Cluster> = {}) =>
    seeing({
      signalBefore: async () => '2026-03-01 03:00:05+00',
      signal: async () => {
        sent.push('signal')
        return { kind: 'sent', returned: true, sql: 'SELECT' }
      },
      look: async () => [],
      ...over,
    })
  const execute = (cluster: Cluster, with_: Cards = cards, steady = () => 0) =>
    createExecute({
      cards: with_,
      clusters: watching({ config, cluster }),
      steady,
      isStopping: () => false,
      log: createLog({ level: 'silent' }),
    })

  it('writes the deadline down before it sends, and keeps it', async () => {
    const claimed = await claim({ claimedBy: 'this' })
    let standing: string | undefined
    const cluster = whole({
      signal: async ({ signalBefore }) => {
        standing = (await store.proposals.get(claimed.id))?.signalBefore
        expect(signalBefore).toBe(standing)
        return { kind: 'sent', returned: true, sql: 'SELECT' }
      },
    })
    const done = await execute(cluster)(claimed)
    expect(standing).toBe('2026-03-01 03:00:05+00')
    expect(done).toMatchObject({ state: 'done', signalBefore: standing, outcome: { kind: 'effective' } })
  })

  it('asks for the time before it looks', async () => {
    const asked: string[] = []
    const cluster = whole({
      signalBefore: async () => {
        asked.push('time')
        return '2026-03-01 03:00:05+00'
      },
      snapshot: async () => {
        asked.push('look')
        return picture([session]).snapshot
      },
    })
    await execute(cluster)(await claim({ claimedBy: 'this' }))
    expect(asked.slice(0, 2)).toEqual(['time', 'look'])
  })

  it('sends nothing where the server does not say what time it is', async () => {
    const cluster = whole({ signalBefore: () => Promise.reject(clusterErrorWith('ECONNREFUSED')) })
    const done = await execute(cluster)(await claim({ claimedBy: 'this' }))
    expect(done.outcome).toEqual({ kind: 'unreachable', why: clusterErrorWith('ECONNREFUSED').reason })
    expect(sent).toEqual([])
  })

  it('sends nothing, and says nothing, where another one has ended the claim', async () => {
    const claimed = await claim({ claimedBy: 'this' })
    await reconcile({
      cards,
      proposals: store.proposals,
      clusters: new Map(),
      isGone: () => true,
      now: () => madeAt,
    })
    const said = await outcomes()
    expect((await execute(whole())(claimed)).outcome).toEqual(said[0])
    expect(sent).toEqual([])
    expect(await outcomes()).toEqual(said)
  })

  /** The first commit fails: before it is written, or after, when nobody hears that it was. */
  const failing = (isWritten: boolean): Cards => {
    let commits = 0
    return {
      ...cards,
      async commit(cardId, run) {
        const isFirst = ++commits === 1
        if (!isFirst) return cards.commit(cardId, run)
        if (isWritten) await cards.commit(cardId, run)
        throw new StoreError('its disk is full', null)
      },
    }
  }
  it.each([false, true])('sends nothing where the store fails at that (written: %s)', async (isWritten) => {
    const done = await execute(whole(), failing(isWritten))(await claim({ claimedBy: 'this' }))
    expect(done).toMatchObject({
      state: 'done',
      outcome: { kind: 'notSent', why: 'my journal could not be written: its disk is full.' },
    })
    expect(sent).toEqual([])
    expect(await outcomes()).toHaveLength(1)
  })

  it('tells a session that is gone from one that cannot be seen', async () => {
    const outcomeOf = async (snapshot: Cluster['snapshot'], id: string) =>
      (await execute(whole({ snapshot }))(await claim({ claimedBy: 'this', id }))).outcome
    const gone = await outcomeOf(async () => picture([]).snapshot, '1')
    expect(gone).toEqual({ kind: 'changed', what: '4312 was gone already' })
    const unseen = await outcomeOf(() => Promise.reject(clusterErrorWith('ECONNREFUSED')), '2')
    expect(unseen).toMatchObject({ kind: 'unreachable' })
    expect(sent).toEqual([])
  })

  it('says that nothing was sent only where the server refused to send it', async () => {
    const fails = (code: string) => () => Promise.reject(clusterErrorWith(code))
    const kindOf = async (over: Partial<Cluster>, id: string) =>
      (await execute(whole(over))(await claim({ claimedBy: 'this', id }))).outcome?.kind
    expect(await kindOf({ signal: fails('42501') }, '1')).toBe('refused')
    expect(await kindOf({ signal: fails('ECONNRESET') }, '2')).toBe('unknown')
    // The signal went out, and then nobody may look any more.
    expect(await kindOf({ look: fails('42501') }, '3')).toBe('unknown')
    expect(sent).toEqual(['signal'])
  })

  it.each([
    ['waits until it is a second old, and looks again', 'pgbouncer', 2, 200],
    ['need not wait where no pooler gives the session to another', 'web', 1, 0],
  ])('of a young transaction %s', async (_, applicationName, looks, leastMs) => {
    const lookedAt: number[] = []
    let sentAt = 0
    const cluster = whole({
      async snapshot() {
        lookedAt.push(performance.now())
        return picture([{ ...session, applicationName, xactSeconds: lookedAt.length === 1 ? 0.8 : 2 }])
          .snapshot
      },
      signal: async () => {
        sentAt = performance.now()
        return { kind: 'sent', returned: true, sql: 'SELECT' }
      },
    })
    await execute(cluster)(await claim({ claimedBy: 'this' }))
    expect(lookedAt).toHaveLength(looks)
    // A timer may be early by a millisecond.
    expect(sentAt - (lookedAt[0] ?? 0)).toBeGreaterThanOrEqual(leastMs - 1)
  })

  describe('and looks what comes of it', () => {
    const waiter = waiting(4313, 30)
    const another = idleInTransaction(4314, 60)
    const behind = (pid: number, ...sessions: Session[]) =>
      picture(sessions, locksRead(rowQueue(pid, [[waiter.pid, 30]])))
    /** @param looks the last of them again and again, each after so many milliseconds */
    const seenBy = async (looks: readonly Session[][], everyMs: number, later = behind(4312, waiter)) => {
      let made = 0
      const cluster = whole({
        snapshot: async () => (made === 0 ? behind(4312, session, waiter) : later).snapshot,
        look: async () => [...(looks[Math.min(made++, looks.length - 1)] ?? [])],
      })
      return (await execute(cluster, cards, () => made * everyMs)(await claim({ claimedBy: 'this' }))).outcome
    }

    it('sees when it was gone, and that who waited for it has moved on', async () => {
      const gone = [[session, waiter], [waiter], [{ ...waiter, waitEventType: null }]]
      expect(await seenBy(gone, 100)).toEqual({
        ...{ kind: 'effective', afterMs: 200, victims: 1, movedOn: 1, expected: 1 },
      })
    })

    it('says who keeps those waiting that should have moved on', async () => {
      const outcome = await seenBy([[waiter]], 600, behind(4314, another, waiter))
      expect(outcome).toEqual({
        ...{ kind: 'effective', afterMs: 600, victims: 1, movedOn: 0, expected: 1, heldBy: [4314] },
      })
    })

    it('expects nothing where nobody waited', async () => {
      const done = await execute(whole())(await claim({ claimedBy: 'this' }))
      expect(done.outcome).toEqual({ kind: 'effective', afterMs: 0, victims: 0, movedOn: 0 })
    })

    it('gives up after five seconds', async () => {
      expect(await seenBy([[session, waiter]], 2500)).toEqual({
        ...{ kind: 'still', afterMs: 5000, state: 'idle in transaction' },
        ...{ waitEventType: 'Client', waitEvent: 'ClientRead' },
      })
    })
  })
})
