import { afterEach, expect, it } from 'vitest'
import { converse, hasButton, wordsOf } from '../../test/support/harness.ts'
import { waitFor } from '../../test/support/postgres.ts'
import { openPracticeRoom, type PracticeRoom } from '../room.ts'

/** Trouble of the practice room from its begin to its end, as people do it in Slack. */

let room: PracticeRoom | undefined
afterEach(() => room?.stop())

const open = async () => {
  room = await openPracticeRoom()
  const { director, workspace } = room
  const phase = (id: string) => director.playing().find((one) => one.id === id)?.phase
  const isOver = (id: string) => waitFor(() => phase(id) === 'over', `${id} is over`)
  return { ...converse(workspace), director, isOver }
}

it('a leak: the card asks for all of its idle connections, and one press ends them', async () => {
  const { card, press, until, line, director, isOver } = await open()
  await director.start('idle-leak')
  const leaked = director.pidsOf('idle-leak').length
  expect(leaked).toBeGreaterThan(40)
  await press('U0RESP', await card('pg_propose_idle'), 'pg_propose_idle')
  const list = await card('approve_terminate')
  expect(list.text).toContain(`Terminate ${leaked} sessions on orders`)
  await press('U0DANA', list, 'approve_terminate')
  await until(list.ts, new RegExp(`Of ${leaked}: ${leaked} are gone`))
  await isOver('idle-leak')
  const { losses, gentlest } = director.damage('idle-leak')
  expect(losses).toHaveLength(leaked)
  expect(gentlest).toHaveLength(leaked)
  await line(/^🟢 Resolved/)
})

it('a leak: so does the command', async () => {
  const { card, press, type, director, isOver } = await open()
  await director.start('idle-leak')
  await type('U0RESP', 'terminate --app coupon-app --state idle it leaks')
  await press('U0DANA', await card('approve_terminate'), 'approve_terminate')
  await isOver('idle-leak')
})

it('a server that accepts nobody: its processes are seen, one of them is ended, and everybody gets in again', async () => {
  const { card, press, type, until, line, director, isOver } = await open()
  await director.start('full-server')
  const [basket] = director.pidsOf('full-server')
  const blind = await line(/^🔴 orders accepts no connections/)
  expect(wordsOf(blind)).toMatch(/Last resort/)
  await type('U0RESP', 'sessions')
  const processes = await line(/^Processes of orders/)
  expect(processes.text).toMatch(/From the operating system: no locks, and no statements but titles/)
  expect(processes.text).toMatch(new RegExp(`${basket} \\| shop · orders \\|.*idle in transaction`))
  await type('U0RESP', `terminate ${basket} everybody waits behind it`)
  const asked = await card('approve_terminate', String(basket))
  await press('U0DANA', asked, 'approve_terminate')
  await until(asked.ts, /^✅ Terminated[\s\S]*is gone after/)
  await isOver('full-server')
  const seen = await until(blind.ts, /^🟢 Resolved/)
  expect(hasButton(seen, 'approve_terminate')).toBe(false)
  expect(director.damage('full-server').losses).toMatchObject([{ name: 'basket', how: 'terminated' }])
})
