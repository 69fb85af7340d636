import { expect, it } from 'vitest'
import { beginSpells, identityOf, type Spell } from '../../../src/domain/advice/spells.ts'
import type { Picture } from '../../../src/domain/locks/picture.ts'
import {
  held,
  idle,
  idleInTransaction,
  picture,
  relation,
  rowQueue,
  server,
  serverProcess,
  session,
  waiting,
  wanted,
} from '../../support/builders.ts'

const spellsOf = (...pictures: readonly (Picture | null)[]): Spell[] => {
  const spells = beginSpells()
  spells.add(
    pictures.map((picture, index) => ({
      ...{ from: index, to: index + 1, picture, why: null },
      sight: picture ? ('seen' as const) : ('notSeen' as const),
    })),
  )
  return spells.all()
}
const short = (spells: readonly Spell[]) =>
  spells.map(({ kind, seconds, victims }) => [kind, seconds, victims])

it('a session idle in its transaction, with those who wait behind it', () => {
  const root = idleInTransaction(1, 40, { applicationName: 'checkout' })
  const locks = rowQueue(1, [
    [2, 30],
    [3, 20],
  ])
  expect(spellsOf(picture([root, waiting(2, 30), waiting(3, 20)], locks))[0]).toEqual({
    ...{ kind: 'idleInTransaction', seconds: 40, victims: 2, applicationName: 'checkout' },
    ...{ who: identityOf(root), scope: { role: 'shop', database: 'orders' } },
  })
})

it('is one for as long as it goes on, with the longest time and the most that waited', () => {
  const at = (seconds: number, waits: [number, number][]) =>
    picture(
      [
        { ...idleInTransaction(1, seconds), stateChange: 'then', xactStart: null },
        ...waits.map(([pid, time]) => ({ ...waiting(pid, time), state: null })),
      ],
      rowQueue(1, waits),
    )
  expect(
    short(
      spellsOf(
        at(20, []),
        at(25, [
          [2, 1],
          [3, 1],
        ]),
        at(30, [[2, 6]]),
      ),
    ),
  ).toEqual([['idleInTransaction', 30, 2]])
})

it('is another one for another session, and for another begin', () => {
  const later = { ...idle(1, 700), stateChange: 'later' }
  const other = { ...idle(1, 700), backendStart: 'other' }
  expect(short(spellsOf(picture([idle(1, 700)]), picture([later]), picture([other])))).toHaveLength(3)
})

it('what is brief, and what is nobody’s, is left out', () => {
  const brief = [idleInTransaction(1, 9.9), session(2, { stateSeconds: 9.9 }), idle(3, 599)]
  expect(spellsOf(picture(brief))).toEqual([])
  const nobody = [
    idle(1, 9000, { usename: null }),
    idle(2, 9000, { datname: null }),
    serverProcess(3, 'checkpointer', { state: 'idle', stateSeconds: 9000 }),
  ]
  expect(spellsOf(picture(nobody))).toEqual([])
})

it('a statement, and the transaction around it', () => {
  const long = session(1, { stateSeconds: 20, querySeconds: 20, xactSeconds: 60 })
  expect(short(spellsOf(picture([long])))).toEqual([
    ['transaction', 60, 0],
    ['statement', 20, 0],
  ])
  expect(short(spellsOf(picture([session(1, { querySeconds: 20, xactSeconds: 59.9 })])))).toEqual([
    ['statement', 20, 0],
  ])
})

it('a wait for a strong lock, with those in the queue behind it', () => {
  const orders = relation('public.orders')
  const migration = waiting(2, 5, { waitEvent: 'relation' })
  const readers = [3, 4].map((pid) => waiting(pid, 4, { waitEvent: 'relation' }))
  const queue = (mode: string) => [
    held(orders, 'AccessShareLock', 1),
    wanted(orders, mode, [2, 5]),
    wanted(orders, 'AccessShareLock', [3, 4], [4, 4]),
  ]
  const jam = (mode: string) => picture([idleInTransaction(1, 5), migration, ...readers], queue(mode))
  expect(short(spellsOf(jam('AccessExclusiveLock')))).toEqual([['lockWait', 5, 2]])
  // A weak lock keeps nobody waiting.
  expect(short(spellsOf(jam('RowExclusiveLock')))).toEqual([])
})

it('without a picture, or without the right to see others, nothing is known', () => {
  const blind = picture([idle(1, 9000)], { kind: 'none' }, { server: server({ seesOthers: false }) })
  expect(spellsOf(null, blind)).toEqual([])
})
