import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newest } from '../../src/store/migrate.ts'
import { openStore, type Store, type Tables } from '../../src/store/store.ts'
import {
  differs,
  openPlayer,
  type Played,
  readReleased,
  recordStatements,
  withVarying,
} from '../support/released.ts'
import { openBare, type StorePlace, storePlaces } from '../support/store.ts'
import { tour } from '../support/storeTour.ts'

/**
 * Differences that are meant, by version and statement. 0.1.0 has none: each of its statements works. (All of it does not: it
 * worked alone on its file, under a lock that it still takes, and it refuses a migration that it does not know.)
 */
const meant: Readonly<Record<string, Readonly<Record<string, string>>>> = {}

describe.each(storePlaces)('on a store in %s', (kind, makePlace) => {
  let place: StorePlace
  beforeAll(async () => {
    place = await makePlace()
  })
  afterAll(() => place.close())

  /** Plays statements while the tables come from `first` to those of now, before the statement with this number. */
  const differencesOf = async (played: readonly Played[], first: string, at: number, last = newest) => {
    const settings = await place.empty()
    const bring = async (upTo: string) => {
      const store = openBare(settings)
      await store.migrate(upTo)
      await store.close()
    }
    await bring(at === 0 ? last : first)
    const differences: string[] = []
    let player = await openPlayer(settings)
    for (const [number, one] of played.entries()) {
      if (number === at && at > 0) {
        await player.close()
        await bring(last)
        player = await openPlayer(settings)
      }
      const difference = differs(one, await player.play(one))
      if (difference) differences.push(`${one.sql} → ${difference}`)
    }
    await player.close()
    return differences
  }

  const versions = readReleased().flatMap((one) => {
    const played = one[kind]
    return played ? [{ ...one, played }] : []
  })

  it.skipIf(versions.length === 0).each(versions)(
    'the statements of $version do what they did, on the tables of now and while they come',
    async ({ version, migration, played }) => {
      expect(played.length).toBeGreaterThan(50)
      const pauses = pausesOf(played)
      const half = pauses[Math.floor(pauses.length / 2)] ?? 0
      expect(half).toBeGreaterThan(10)
      for (const at of [0, half]) {
        const differences = await differencesOf(played, migration, at)
        expect(
          differences.filter((one) => !Object.hasOwn(meant[version] ?? {}, one.split(' → ')[0] ?? '')),
        ).toEqual([])
      }
    },
  )

  it('what a release would write down now is all that a store can do, and does the same again', async () => {
    const recording = recordStatements()
    const { store, asked, all } = watched(await openStore(await place.empty()))
    await store.history.extent()
    asked.clear()
    const played = await recording.during(() => tour(store))
    recording.stop()
    await store.close()
    expect(all.filter((name) => !asked.has(name))).toEqual([])
    const pauses = pausesOf(played)
    const same = played.map((one) => (isClock(one) ? withVarying(one, { rows: [] }) : one))
    expect(await differencesOf(same, newest, 0)).toEqual([])
    expect(await differencesOf(same, newest, pauses[pauses.length >> 1] ?? 0)).toEqual([])
    // On tables that miss something it shows.
    expect(await differencesOf(same, newest, 0, '001_start')).not.toEqual([])
  })
})

/** The clock of the store's server. */
const isClock = ({ sql }: Played) => /AS now$/.test(sql)

/** Numbers of the statements that begin outside of a transaction. */
function pausesOf(played: readonly Played[]): number[] {
  let isOpen = false
  return played.flatMap(({ sql }, number) => {
    const before = isOpen
    if (/^begin/i.test(sql)) isOpen = true
    if (/^(?:commit|rollback)/i.test(sql)) isOpen = false
    return before ? [] : [number]
  })
}

/** The same store, which notes what it is asked for. */
function watched(store: Store) {
  const asked = new Set<string>()
  const all: string[] = []
  const tablesOf = <T extends object>(tables: T, isFirst: boolean): T =>
    Object.fromEntries(
      Object.entries(tables).map(([name, table]) => {
        if (typeof table !== 'object') return [name, table]
        const noted = Object.entries(table as Record<string, (...given: unknown[]) => unknown>).map(
          ([method, run]) => {
            if (isFirst) all.push(`${name}.${method}`)
            return [
              method,
              (...given: unknown[]) => {
                asked.add(`${name}.${method}`)
                return run(...given)
              },
            ]
          },
        )
        return [name, Object.fromEntries(noted)]
      }),
    ) as T
  const noting: Store = {
    ...tablesOf(store, true),
    atomically: (run) => store.atomically((tables: Tables) => run(tablesOf(tables, false))),
  }
  return { store: noting, asked, all }
}
