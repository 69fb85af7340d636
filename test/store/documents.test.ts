import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createVerifier } from '../../src/domain/approvals/journal.ts'
import { kindNames } from '../../src/domain/incidents/severity.ts'
import { openStore } from '../../src/store/store.ts'
import { historyView } from '../../src/views/answers/history.ts'
import { cardView } from '../../src/views/card/card.ts'
import { detailsModal } from '../../src/views/card/details.ts'
import { digestView } from '../../src/views/card/digest.ts'
import { checkView } from '../support/asking.ts'
import { cardState } from '../support/cards.ts'
import { proposal } from '../support/proposals.ts'
import { told } from '../support/render.ts'

let directory: string
const path = () => join(directory, 'store.db')

/** Runs SQL in the file of the store while nobody works with it. */
function inFile<T>(run: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path())
  try {
    return run(database)
  } finally {
    database.close()
  }
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-store-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

const open = () => openStore({ kind: 'sqlite', path: path() })

describe('a store of 0.1.0', () => {
  beforeEach(async () => {
    const old = await readFile(new URL('fixtures/0.1.0.sql', import.meta.url), 'utf8')
    inFile((database) => database.exec(old))
  })

  it('opens, and its cards are drawn', async () => {
    const store = await open()
    const incidents = await store.incidents.recent('orders', 0)
    expect(new Set(incidents.map(({ finding }) => finding.kind))).toEqual(
      // It had no incidents of clusters that cannot be seen, nor of pools.
      new Set(Object.keys(kindNames).filter((kind) => kind !== 'unreachable' && kind !== 'poolWaits')),
    )
    const states = new Set<string>()
    for (const incident of incidents) {
      const proposals = await store.proposals.ofCard(incident.cardId)
      for (const { state } of proposals) states.add(state)
      const [silence = null] = await store.silences.ofCluster('orders')
      const people = { cancel: 1, terminate: 2 }
      const card = cardState(proposals, { incident, people, breakGlass: true, silence })
      const view = cardView(card)
      checkView(view)
      const text = told(view.blocks)
      expect(text).toMatch(/^(?:🔴|🟠|🔵|🟢|👀) .* on orders/u)
      expect(`${view.text}\n${text}`).not.toMatch(/undefined|NaN|\[object/)
      // Its name was another one.
      if (incident.recommendation && incident.resolvedAt === null)
        expect(
          told(detailsModal({ locks: null, wait: null, card, history: [], sql: null, now: 0 }).blocks),
        ).toContain(incident.recommendation.text.slice(0, 40))
    }
    expect([...states].sort()).toEqual(['claimed', 'denied', 'done', 'expired', 'open', 'withdrawn'])
    expect(incidents.filter(({ recommendation }) => recommendation?.target).length).toBeGreaterThan(3)
    checkView(digestView('orders', 'digest', incidents))
    await store.close()
  })

  it('gives what came later the value that it had before it came', async () => {
    const store = await open()
    const [made] = await store.proposals.inState('open')
    expect(made).toMatchObject({ pooled: false, denial: null, state: 'open' })
    expect(Object.keys(made ?? {}).sort()).toEqual(Object.keys(proposal()).sort())
    await store.close()
  })

  it('is written as today once it changes, and read the same again', async () => {
    const store = await open()
    for (const incident of await store.incidents.open('orders')) {
      await store.incidents.put(incident)
      expect(await store.incidents.get(incident.id)).toEqual(incident)
    }
    await store.close()
    const rows = inFile((database) =>
      database.prepare('SELECT data FROM incidents WHERE resolved_at IS NULL').all(),
    )
    for (const { data } of rows) expect(JSON.parse(String(data))).not.toHaveProperty('remedy')
  })

  it('keeps its silences, its history and its messages', async () => {
    const store = await open()
    const scopes = (await store.silences.ofCluster('orders')).map(({ scope }) => scope.kind)
    expect(scopes.sort()).toEqual(['cluster', 'finding', 'incident'])
    const rows = await store.journal.latest(1000)
    expect(new Set(rows.map(({ event }) => event.kind)).size).toBe(22)
    const history = historyView('everything', rows, 1000)
    expect(told(history.blocks)).not.toMatch(/undefined|NaN|\[object/)
    const pending = await store.messages.pending()
    expect(pending.length).toBeGreaterThan(10)
    for (const { id } of pending) expect((await store.messages.content(id))?.blocks.length).toBeGreaterThan(0)
    await store.close()
  })

  it('has a journal whose chain holds, to the letter', async () => {
    const events = () =>
      inFile((database) => database.prepare('SELECT event FROM journal ORDER BY seq').all()).map(
        ({ event }) => event,
      )
    const before = events()
    const store = await open()
    await store.journal.append(1, null, { kind: 'acknowledged', actor: 'U0ANA' })
    const verifier = createVerifier()
    const seen: string[] = []
    for await (const row of store.journal.all()) {
      expect(verifier.check(row)).toBeNull()
      seen.push(row.event)
    }
    expect(seen.slice(0, -1)).toEqual(before)
    await store.close()
  })
})

describe('a row of another shape', () => {
  /** Spoils one row of an old store, and says how reading fails. */
  const spoiled = async (
    sql: string,
    read: (store: Awaited<ReturnType<typeof open>>) => Promise<unknown>,
  ) => {
    const old = await readFile(new URL('fixtures/0.1.0.sql', import.meta.url), 'utf8')
    inFile((database) => {
      database.exec(old)
      expect(database.prepare(sql).run().changes).toBe(1)
    })
    const store = await open()
    try {
      return await read(store).then(String, String)
    } finally {
      await store.close()
    }
  }
  const jam = '3f2a9c1b-0000-4000-8000-000000000001'

  it.each([
    [
      'a field is missing',
      `json_remove(data, '$.finding.root.victims')`,
      'finding.root.victims invalid_type',
    ],
    ['a field is of another type', `json_set(data, '$.openedAt', 'then')`, 'openedAt invalid_type'],
    ['a kind is unknown', `json_set(data, '$.finding.kind', 'flood')`, 'finding.kind invalid_union'],
    [
      'an action is unknown',
      `json_set(data, '$.remedy.target.action', 'kill')`,
      'recommendation.target.action',
    ],
    ['a newer version wrote it', `json_set(data, '$.version', 2)`, 'version 2'],
    ['it is no object', `'null'`, 'no object'],
    ['it is no JSON', `'{'`, 'no object'],
  ])('is an error that names it, where %s', async (_, data, what) => {
    const error = await spoiled(`UPDATE incidents SET data = ${data} WHERE id = '${jam}'`, (store) =>
      store.incidents.recent('orders', 0),
    )
    expect(error).toContain(`row ${jam} of its table incidents (${what}`)
    expect(error).not.toContain('then')
  })

  it.each([
    [
      'proposals',
      `UPDATE proposals SET data = json_remove(data, '$.session.backendStart') WHERE state = 'open' AND pid = 4401`,
      (store: Awaited<ReturnType<typeof open>>) => store.proposals.inState('open'),
    ],
    [
      'silences',
      `UPDATE silences SET data = json_set(data, '$.scope.kind', 'all') WHERE data LIKE '%longQuery%'`,
      (store: Awaited<ReturnType<typeof open>>) => store.silences.ofCluster('orders'),
    ],
    [
      'journal',
      `UPDATE journal SET event = json_set(event, '$.kind', 'shouted') WHERE seq = 1`,
      (store: Awaited<ReturnType<typeof open>>) => store.journal.latest(1000),
    ],
    [
      'messages',
      `UPDATE messages SET blocks = '[{}]' WHERE seq = 1`,
      (store: Awaited<ReturnType<typeof open>>) =>
        store.messages.pending().then((all) => Promise.all(all.map(({ id }) => store.messages.content(id)))),
    ],
  ])('is named in %s too', async (table, sql, read) => {
    expect(await spoiled(sql, read)).toMatch(
      new RegExp(`StoreError: I cannot read row \\S+ of its table ${table} \\(`),
    )
  })

  it.each([
    ['incident', `UPDATE incidents SET data = json_set(data, '$.cluster', 7) WHERE id = '${jam}'`],
    ['proposal', `UPDATE proposals SET data = '{}' WHERE state = 'open' AND pid = 4401`],
  ])('keeps the probe from saying that the store works, where it is an open %s', async (_, sql) => {
    expect(await spoiled(sql, (store) => store.probe())).toContain('StoreError: I cannot read row')
  })
})
