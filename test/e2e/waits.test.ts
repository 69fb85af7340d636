import { describe, expect, it } from 'vitest'
import { openRoom, type Room } from '../support/harness.ts'
import { run } from '../support/process.ts'
import { told } from '../support/render.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const channel = 'C0INCIDENTS'
const answers = () =>
  room.workspace.messages(channel).filter(({ text }) => /^(Waits on|pg-marshal)/.test(text))
/** Asks until an answer says this: a look is in the record a second after it was taken. */
async function askUntil(words: RegExp, typed = 'waits --since 1m') {
  const began = Date.now()
  for (;;) {
    const before = answers().length
    await room.type('U0RESP', typed)
    const [answer] = await room.workspace.waitFor(() => answers().length > before && answers().slice(-1), {
      what: 'an answer',
    })
    if (answer && words.test(answer.text)) return answer
    if (Date.now() - began > 20_000) throw new Error(`${words} is not in ${answer?.text}`)
  }
}
const kindsIn = (answer: { readonly blocks?: readonly { readonly type: string }[] }) =>
  (answer.blocks ?? []).map(({ type }) => type)

describe.each(['socket', 'http'] as const)('/pg waits, over %s', (mode) => {
  it('tells a real jam from the record, and a workspace without charts gets a table', async () => {
    room = await openRoom(server.marshalUrl, { mode })
    await jamOne(server, shop)
    const bot = await room.start()
    const answer = await askUntil(/Relation \| orders \| [2-9]/)
    expect(answer.text).toMatch(/Mostly waits for locks \(Lock\): [\d.]+ of [\d.]+ active session-seconds/)
    expect(answer.text).toContain('Statement | UPDATE orders SET state = ? WHERE id = ?')
    expect(answer.text).toContain('Application | web | ')
    expect(answer.text).not.toContain('checkout')
    // The workspace says where Riley is.
    expect(answer.text).toContain('Times are those of Europe/Amsterdam.')
    expect(kindsIn(answer)).toContain('data_visualization')
    expect(JSON.stringify(answer.blocks)).not.toContain("'x'")
    await room.press('U0RESP', answer, 'pg_show_answer')
    expect(await room.whisper('U0RESP', /^Who blocks whom on orders at/)).toContain('checkout')
    const none = await askUntil(/No session matched/, 'waits --since 1m --user nobody')
    expect(kindsIn(none)).not.toContain('data_visualization')

    const terminal = await run(room, ['waits', '--since', '1m', '--app', 'web', '--json'])
    expect(await terminal.ended).toBe(0)
    expect(JSON.parse(terminal.output())).toMatchObject({
      cluster: 'orders',
      recordBegins: expect.stringContaining('T'),
      types: [{ type: 'Lock', most: { sessions: 1 } }],
      statements: [{ statement: 'UPDATE orders SET state = ? WHERE id = ?' }],
      applications: [{ application: 'web' }],
      relations: [{ relation: 'orders' }],
    })
    const words = await run(room, ['waits', '--since', '1m'])
    expect(await words.ended).toBe(0)
    expect(words.output()).toMatch(/^Waits on orders, the last 1 min\nMostly waits for locks \(Lock\)/)

    const place = { ...room, yaml: JSON.stringify({ ...JSON.parse(room.yaml), queryText: 'hidden' }) }
    const hidden = await run(place, ['waits', '--since', '1m'])
    expect(await hidden.ended).toBe(0)
    expect(hidden.output()).toContain('No statement of those who waited is recorded')
    expect(hidden.output()).not.toContain('UPDATE')

    room.workspace.refuseBlocks(['data_visualization'], mode === 'socket')
    const refusals = () =>
      ['chat.postMessage', 'response_url']
        .flatMap((call) => [...room.workspace.requests(call)])
        .filter(({ response }) => response?.ok === false).length
    const inColumns = await askUntil(/Mostly waits/)
    expect(kindsIn(inColumns)).not.toContain('data_visualization')
    expect(told(inColumns.blocks)).toMatch(/Time \(Europe\/Amsterdam\) {2}Lock\n[\d:…]+ +[\d.]+/)
    const tries = refusals()
    expect(tries).toBe(1)
    const doctor = await run(room, ['doctor'])
    await doctor.ended
    expect(doctor.output()).toMatch(
      /! this workspace refuses blocks of the kind data_visualization\n {6}They go as tables\./,
    )
    await bot.stop()
    await room.start()
    await askUntil(/Mostly waits/)
    expect(refusals()).toBe(tries)
  })
})

it('says how to switch the record on', async () => {
  room = await openRoom(server.marshalUrl, { over: { history: { keep: 'off' } } })
  await room.start()
  await room.type('U0RESP', 'waits')
  const answer = await room.line(/^pg-marshal/)
  expect(told(answer.blocks)).toContain('history.keep is off')
  expect(told(answer.blocks)).toContain('history.keep: 7d')
  const terminal = await run(room, ['waits'])
  expect(await terminal.ended).toBe(2)
  expect(terminal.output()).toContain('"history.keep" is "off"'.replaceAll('"', ''))
})

it('says on the terminal what to type instead, and that there is no record yet', async () => {
  room = await openRoom(server.marshalUrl)
  const ask = async (...options: readonly string[]) => {
    const terminal = await run(room, ['waits', ...options])
    return `${await terminal.ended} ${terminal.output()}`
  }
  expect(await ask()).toMatch(
    /^2 There is no store at .*store\.db; store\.url in the configuration says where/,
  )
  expect(await ask('--since', '5')).toMatch(/^2 "--since": A duration needs a unit/)
  expect(await ask('--cluster', 'billing')).toMatch(/^2 There is no cluster "billing" here/)
})
