import { afterEach, expect, it } from 'vitest'
import { openedWith } from '../../src/domain/incidents/incident.ts'
import { idle, idleInTransaction, takenAt } from '../../test/support/builders.ts'
import { incidentOf } from '../report.ts'
import { openPracticeRoom, type PracticeRoom } from '../room.ts'

let room: PracticeRoom | undefined
afterEach(() => room?.stop())

it('the report of a round is about its own sessions, the one with the most victims', () => {
  const at = (id: string, pid: number, openedAt: number, mostVictims = 0) => ({
    ...openedWith(
      { kind: 'idleInTransaction', session: idleInTransaction(pid, 400), seconds: 400 },
      null,
      { cluster: 'orders', takenAt: openedAt },
      id,
    ),
    mostVictims,
  })
  const all = [
    at('before', 7, takenAt - 60_000, 9),
    at('other', 8, takenAt + 1, 9),
    at('first', 7, takenAt + 1000, 1),
    at('worse', 7, takenAt + 2000, 3),
  ]
  expect(incidentOf({ id: 'chain', since: takenAt, pids: new Set([7]) }, all)?.id).toBe('worse')
  expect(incidentOf({ id: 'chain', since: takenAt, pids: new Set([idle(99, 1).pid]) }, all)?.id).toBe('other')
  expect(incidentOf({ id: 'chain', since: takenAt + 60_000, pids: new Set([7]) }, all)).toBeNull()
})

it('a game day ends with the report of the bot', async () => {
  room = await openPracticeRoom({ random: () => 0 })
  const { url, workspace } = room
  const control = (name: string) => fetch(`${url}/control/panel/${name}`, { method: 'POST', body: '[]' })
  const report = () => fetch(`${url}/panel/report`)
  expect((await report()).status).toBe(404)
  await control('startGameDay')
  const card = await workspace.waitFor(
    () => workspace.messages('C0INCIDENTS').find(({ text }) => / on orders/.test(text)),
    { what: 'a card' },
  )
  expect((await report()).status).toBe(404)
  await control('giveUpGameDay')
  const page = await (await report()).text()
  expect(page).toMatch(/^<!doctype html>[\s\S]*<h1>/)
  expect(page).toContain('cluster orders')
  expect(card).toBeDefined()
})
