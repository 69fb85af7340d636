import pino from 'pino'
import { expect, it } from 'vitest'
import type { Health } from '../../src/domain/session/health.ts'
import type { Snapshot } from '../../src/domain/session/snapshot.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import { createWatcher } from '../../src/watch/watcher.ts'
import { pictureCluster } from '../support/asking.ts'
import * as of from '../support/builders.ts'

/** A watcher of a cluster that shows this, and the health checks that reached its report. */
function watching(snapshot: () => Snapshot, health: () => Promise<Health>, healthEveryMs: number) {
  const reported: (Health | null)[] = []
  const unseen: (string | null)[] = []
  let asked = 0
  const watch = createWatcher({
    cluster: pictureCluster(of.picture([]), [], {
      snapshot: async () => snapshot(),
      health: () => {
        asked++
        return health()
      },
    }),
    steady: () => performance.now(),
    withoutStore: { noted: () => false, report: async () => {} },
    report: {
      seen: async (picture) => void reported.push(picture.snapshot.health),
      unseen: async () => expect.fail('it sees'),
    },
    status: {
      seen: async () => {},
      gap: async () => {},
      behind: async () => {},
      healthUnavailable: async (reason) => void unseen.push(reason),
    },
    pace: { begin: () => null, end: () => null },
    hooks: { saw: () => {}, unseen: () => {}, done: () => {} },
    log: pino({ level: 'silent' }),
    healthEveryMs,
  })
  return { watch, reported, unseen, asked: () => asked }
}

const long = 3_600_000

it('makes a health check at once, and the next one only when it is due', async () => {
  const [first, last] = [of.health(), of.health()]
  let shown: Health | null = null
  const { watch, reported, asked } = watching(
    () => of.snapshot([], { health: shown }),
    async () => {
      shown = last
      return first
    },
    long,
  )
  for (let round = 0; round < 3; round++) await watch()
  expect(asked()).toBe(1)
  // What the look has just shown, then what the snapshots carry.
  expect(reported).toEqual([first, last, last])
  expect(reported[0]).toBe(first)
})

it('leaves the catalogs alone while the lock manager is jammed', async () => {
  const jammed = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null } as const
  let locks: Snapshot['locks'] = jammed
  const { watch, asked } = watching(
    () => of.snapshot([], { locks }),
    async () => of.health(),
    0,
  )
  await watch()
  expect(asked()).toBe(0)
  locks = { kind: 'none' }
  await watch()
  await watch()
  expect(asked()).toBe(2)
})

it('a health check that fails hides no session; the third failure in a row is reported', async () => {
  const before = of.health()
  let fails = true
  const { watch, reported, unseen } = watching(
    () => of.snapshot([], { health: before }),
    async () => {
      if (fails) throw clusterErrorWith('55P03')
      return before
    },
    0,
  )
  await watch()
  await watch()
  expect(reported).toEqual([before, before])
  expect(unseen).toEqual([])
  await watch()
  expect(unseen).toEqual([clusterErrorWith('55P03').reason])
  fails = false
  await watch()
  expect(unseen.at(-1)).toBeNull()
})
