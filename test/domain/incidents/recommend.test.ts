import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../src/domain/incidents/finding.ts'
import { type Recommendation, recommendationsFor } from '../../../src/domain/incidents/recommend.ts'
import { fittingAction } from '../../../src/domain/session/allowedAction.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'

it('says why an active holder of an advisory lock is not cancelled: nobody can tell whose the lock is', () => {
  const key = of.advisory(7)
  const picture = of.picture(
    [of.session(9), of.waiting(1, 40)],
    [of.held(key, 'ExclusiveLock', 9), of.wanted(key, 'ExclusiveLock', [1, 40])],
  )
  const [root] = picture.forest.roots
  const recommendation =
    root && recommendationsFor(picture, { protectedSessions: [] })({ kind: 'blocking', root, session: null })
  expect(recommendation).toMatchObject({
    target: { action: 'terminate' },
    text: expect.stringMatching(/Cancel may free fewer: an advisory lock may be the session’s/),
  })
})

it('expects what a terminate frees, where a cancel would not last and becomes one', () => {
  const [key, orders] = [of.advisory(7), of.relation('public.orders')]
  const root = of.session(9, { query: 'SELECT count(*) FROM orders' })
  const readers: [number, number][] = [2, 3, 4, 5, 6].map((pid) => [pid, 30])
  const picture = of.picture(
    [root, of.waiting(1, 40), ...readers.map(([pid, seconds]) => of.waiting(pid, seconds))],
    [
      of.held(key, 'ExclusiveLock', 9),
      of.wanted(key, 'ExclusiveLock', [1, 40]),
      of.held(orders, 'AccessExclusiveLock', 9),
      of.wanted(orders, 'AccessShareLock', ...readers),
    ],
  )
  const [at] = picture.forest.roots
  if (!at) throw new Error('no jam')
  const finding: Finding = { kind: 'blocking', root: at, session: root }
  const standing = {
    action: 'cancel' as const,
    session: root,
    workLost: 'activeReader' as const,
    waited: false,
  }
  const recommend = (again: number) =>
    recommendationsFor(picture, {
      protectedSessions: [],
      standingFor: () => standing,
      retriesOf: () => ({ ended: 1, again, withinSeconds: 1 }),
    })(finding)?.target
  // The advisory lock may be the session's: a cancel may leave it.
  expect(recommend(0)).toMatchObject({ action: 'cancel', expected: { atOnce: [2, 3, 4, 5, 6], unsure: [1] } })
  expect(recommend(1)).toMatchObject({
    action: 'terminate',
    expected: { atOnce: [1, 2, 3, 4, 5, 6], unsure: [] },
  })
})

describe('an autovacuum worker', () => {
  const worker = of.serverProcess(9, 'autovacuum worker', {
    ...{ state: 'active', xactSeconds: 600, backendXmin: '7', query: 'autovacuum: ANALYZE public.orders' },
  })

  it.each([true, false])(
    'has no button by itself, where a person may ask for its cancel (in a jam: %s)',
    (isJam) => {
      const { snapshot, ...rest } = isJam
        ? of.picture([worker, of.waiting(1, 40)], of.rowQueue(9, [[1, 40]]))
        : of.picture([worker], [])
      const server = { ...snapshot.server, maySignalAutovacuum: true }
      expect(fittingAction(worker, server, []).action).toBe('cancel')
      const [root] = rest.forest.roots
      const holder = {
        kind: 'session',
        name: '',
        pid: 9,
        age: 1e7,
        backendStart: worker.backendStart,
      } as const
      const finding: Finding = root
        ? { kind: 'blocking', root, session: worker }
        : {
            kind: 'vacuumHeldBack',
            session: worker,
            holder: { ...holder, database: 'orders', catalogsOnly: false, xactStart: null, isRepack: false },
          }
      const recommendation = recommendationsFor(
        { ...rest, snapshot: { ...snapshot, server } },
        { protectedSessions: [] },
      )(finding)
      expect(recommendation).toMatchObject({
        target: null,
        others: [],
        text: expect.stringMatching(/autovacuum/),
      })
    },
  )
})

describe('a statement that waits for its client again and again', () => {
  const waits = { waitEventType: 'Client', waitEvent: 'ClientWrite' }
  const statement = { querySeconds: 4000, queryStart: 'then', xactStart: 'then', backendXid: '7' }
  const at = (over: Partial<Session>) => of.session(9, { ...statement, ...over })
  const queue = of.rowQueue(9, [[1, 40]])

  /** What is said in one look after the other. */
  const told = (looks: readonly Session[], isJam: boolean): (Recommendation | null)[] => {
    let standing: Recommendation['target'] = null
    return looks.map((session) => {
      const picture = isJam ? of.picture([session, of.waiting(1, 40)], queue) : of.picture([session], [])
      const [root] = picture.forest.roots
      const finding: Finding = root
        ? { kind: 'blocking', root, session }
        : { kind: 'longQuery', session, seconds: 4000 }
      const recommendation = recommendationsFor(picture, {
        protectedSessions: [],
        standingFor: () => standing,
      })(finding)
      standing = recommendation?.target ?? null
      return recommendation
    })
  }
  const actions = (...given: Parameters<typeof told>) =>
    told(...given).map((recommendation) => recommendation?.target?.action)

  it.each([true, false])('keeps one button from look to look (in a jam: %s)', (isJam) => {
    const looks = [at({}), at(waits), at({}), at({}), at(waits), at({})]
    expect(actions(looks, isJam)).toEqual(['cancel', ...looks.slice(1).map(() => 'terminate')])
    expect(told(looks, isJam).at(-1)?.text).toMatch(/Cancel may not help: again and again it waits/)
  })

  it.each([true, false])('is forgotten with the statement (in a jam: %s)', (isJam) => {
    expect(actions([at(waits), at({ queryStart: 'later', querySeconds: 60 })], isJam)).toEqual([
      'terminate',
      'cancel',
    ])
  })
})
