import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { exitOf } from '../../src/terminal/propose.ts'
import { type Forwarder, startForwarder } from '../support/forwarder.ts'
import { openRoom, type Room } from '../support/harness.ts'
import { waitFor } from '../support/postgres.ts'
import { run } from '../support/process.ts'
import { secretOf, tokenOf } from '../support/programs.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

/** @param way from the port of the bot to the one that scripts know */
async function start(token = 'deploybot', way = async (port: number) => port) {
  room = await openRoom(server.marshalUrl, {
    over: {
      http: { port: 0, api: { tokens: [tokenOf('deploybot'), tokenOf('board', { may: ['look'] })] } },
      watch: { every: '200ms', blockedFor: '1h' },
    },
  })
  const { port } = await room.start()
  const url = `http://127.0.0.1:${await way(port)}`
  const env = { PG_MARSHAL_URL: url, PG_MARSHAL_TOKEN: secretOf(token) }
  /** Runs `propose` as a script does, on a machine that knows nothing of the bot but its address and a token. */
  return (...args: string[]) =>
    run({ ...room, env }, ['propose', ...args, '--cluster', 'orders', '--reason', 'migration 42'])
}

describe('a script', () => {
  it('asks for the blocker of its migration, waits, and ends well when a person approves', async () => {
    const propose = await start()
    const { root, victim } = await jamOne(server, shop)
    const script = await propose('unblock', String(victim.pid), '--for', 'Dana', '--wait', '1m', '--json')
    const card = await room.card('approve_terminate')
    expect(card.text).toContain('token deploybot asks: for Dana, it says: migration 42')
    await room.press('U0DANA', card, 'approve_terminate')
    expect(await script.ended).toBe(0)
    expect(script.output()).toContain(`Asked to terminate ${root.pid} on orders`)
    expect(script.output()).toMatch(/"kind": "effective"/)
    await root.ended
  })

  it('learns of a denial, and of a time in which nobody decided', async () => {
    const propose = await start()
    const { root } = await jamOne(server, shop)
    const short = await propose('terminate', String(root.pid), '--wait', '1s')
    expect(await short.ended).toBe(4)
    expect(short.output()).toMatch(/Nobody has decided yet; the card stays open until 20/)
    const script = await propose('terminate', String(root.pid), '--wait', '1m')
    // What is denied before it asks is not its request.
    await waitFor(() => /Asked to/.test(script.output()), 'that it asks')
    const card = await room.card('approve_terminate')
    await room.press('U0DANA', card, 'deny_terminate')
    await room.workspace.waitFor(() => room.workspace.modal('U0DANA'), { what: 'the modal' })
    await room.workspace.submitView({ userId: 'U0DANA', values: { reason: 'not now' } as never })
    expect(await script.ended).toBe(3)
    expect(script.output()).toMatch(/U0DANA says: not now/)
  })

  it('goes on when the bot was gone for a while, and gives up when its time is over', async () => {
    let way: Forwarder | undefined
    const propose = await start('deploybot', async (port) => {
      way = await startForwarder(port)
      return way.port
    })
    const { root } = await jamOne(server, shop)
    const asked = ['terminate', String(root.pid), '--wait'] as const
    const [short, long] = [await propose(...asked, '12s'), await propose(...asked, '1m')]
    await waitFor(() => [short, long].every((script) => /Asked to/.test(script.output())), 'that they ask')
    way?.cut()
    expect(await short.ended).toBe(7)
    expect(short.output()).toMatch(/cannot be reached/)
    way?.heal()
    await room.press('U0DANA', await room.card('approve_terminate'), 'approve_terminate')
    expect(await long.ended).toBe(0)
    await way?.close()
  })

  it('may begin again with the same key, and only ask', async () => {
    const propose = await start()
    const { root } = await jamOne(server, shop)
    const asked = ['terminate', String(root.pid), '--key', 'deploy-42'] as const
    const [first, second] = [await propose(...asked), await propose(...asked)]
    expect([await first.ended, await second.ended]).toEqual([0, 0])
    expect(first.output()).toMatch(/waits for approval .* http/)
    expect(
      room.workspace.messages('C0INCIDENTS').filter(({ text }) => /migration 42/.test(text)),
    ).toHaveLength(1)
  })

  it('is told what it may not, what is gone, and what it wrote wrongly', async () => {
    const propose = await start('board')
    const { victim, root } = await jamOne(server, shop)
    const cases: [string[], number, RegExp][] = [
      [['terminate', String(root.pid)], 6, /may not propose/],
      [['unblock', String(root.pid)], 5, /waits for nobody/],
      [['unblock', '999999'], 5, /There is no session 999999/],
      [['kill', String(victim.pid)], 2, /Write "propose terminate PID"/],
      [['terminate', String(victim.pid), '--wait', 'long'], 2, /--wait: /],
      [['terminate', String(victim.pid), '--force'], 2, /--force/],
      [['--help'], 0, /Exit code: 0 approved and effective/],
    ]
    for (const [args, code, says] of cases) {
      const script = await propose(...args)
      expect.soft(await script.ended, args.join(' ')).toBe(code)
      expect.soft(script.output()).toMatch(says)
    }
  })

  it('is told that the bot cannot be reached, and never gets the token shown', async () => {
    room = await openRoom(server.marshalUrl)
    const unreached = { PG_MARSHAL_URL: 'http://127.0.0.1:9', PG_MARSHAL_TOKEN: 'my-secret' }
    const asked = ['propose', 'cancel', '1', '--cluster', 'orders', '--reason', 'x', '--wait', '1s']
    const script = await run({ ...room, env: unreached }, asked)
    expect(await script.ended).toBe(7)
    expect(script.output()).toMatch(/cannot be reached \(.+\)\. Check PG_MARSHAL_URL/)
    const lost = await run({ ...room, env: { PG_MARSHAL_TOKEN: 'my secret' } }, asked)
    expect(await lost.ended).toBe(2)
    expect(lost.output()).toMatch(/PG_MARSHAL_URL: Write[\s\S]*PG_MARSHAL_TOKEN: Write/)
    expect(script.output() + lost.output()).not.toMatch(/my.secret/)
  })
})

test.each([
  [{ state: 'open', outcome: null }, null],
  [{ state: 'claimed', outcome: null }, null],
  [{ state: 'denied', outcome: null }, 3],
  [{ state: 'expired', outcome: null }, 4],
  [{ state: 'withdrawn', outcome: null }, 5],
  ...(
    [
      ['effective', 0],
      ['still', 1],
      ['notSent', 1],
      ['unknown', 1],
      ['changed', 5],
      ['refused', 6],
      ['unreachable', 7],
    ] as const
  ).map(([kind, code]) => [{ state: 'done', outcome: { kind, sentence: '' } }, code] as const),
] as const)('what came of it is an exit code: %j → %j', (proposal, code) => {
  expect(exitOf(proposal)).toBe(code)
})

it('the recipe in docs/api.md is what the tests run', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8')
  expect(docs).toContain('src/main.ts propose unblock')
})
