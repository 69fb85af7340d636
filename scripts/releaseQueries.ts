import { writeFileSync } from 'node:fs'
import packageJson from '../package.json' with { type: 'json' }
import { newest } from '../src/store/migrate.ts'
import { openStore } from '../src/store/store.ts'
import {
  openPlayer,
  type Played,
  recordStatements,
  releasedDirectory,
  toJson,
  withVarying,
} from '../test/support/released.ts'
import { type StorePlace, storePlaces } from '../test/support/store.ts'
import { tour } from '../test/support/storeTour.ts'

/** `npm run release:queries`: writes down what this version asks a store for, so that later ones can be held to it. */
async function recorded(place: StorePlace): Promise<Played[]> {
  const recording = recordStatements()
  const store = await openStore(await place.empty())
  // Its file is made when it is first used.
  await store.history.extent()
  const played = await recording.during(() => tour(store))
  recording.stop()
  await store.close()
  // Once more on a store of its own: what is another value then is so by its nature.
  const settings = await place.empty()
  await (await openStore(settings)).close()
  const player = await openPlayer(settings)
  try {
    const all: Played[] = []
    for (const one of played) {
      const came = await player.play(one)
      if ('error' in came) throw new Error(`${one.sql}: ${came.error}`)
      all.push(withVarying(one, came))
    }
    return all
  } finally {
    await player.close()
  }
}

const released: Record<string, unknown> = { version: packageJson.version, migration: newest }
for (const [kind, makePlace] of storePlaces) {
  const place = await makePlace()
  try {
    released[kind] = await recorded(place)
  } finally {
    await place.close()
  }
}
const file = new URL(`${packageJson.version}.json`, releasedDirectory)
// What was released is never written again.
writeFileSync(file, `${JSON.stringify(released, toJson, 1)}\n`, { flag: 'wx' })
console.log(`test/store/released/${packageJson.version}.json is written: commit it with the release.`)
