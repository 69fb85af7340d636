import { startPostgres } from 'temporary-postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { type Bot, run, serve } from '../support/process.ts'
import { jamOne, openShop } from '../support/shop.ts'

let server: TestServer
let room: Room
let shop: string
const bots: Bot[] = []

beforeAll(async () => {
  server = await startTestServer()
  shop = await openShop(server)
})
afterEach(async () => {
  server.resume()
  await Promise.all(bots.splice(0).map((bot) => bot.kill('SIGKILL')))
  await room.close()
  await server.closeAll()
})
afterAll(() => server.stop())

const started = async (): Promise<Bot> => {
  const bot = await serve(room)
  bots.push(bot)
  return bot
}

const jam = () => jamOne(server, shop)

describe('killed between press and signal', () => {
  it('says after the restart that nothing was sent, and offers it again', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jam()
    const bot = await started()
    const card = await room.card('approve_terminate')
    // A server that hangs keeps the approval under way for as long as the test needs.
    server.suspend()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /sending/)
    expect(await bot.kill('SIGKILL')).toBe('SIGKILL')
    server.resume()

    await started()
    const line = await room.line(
      /^Terminate .* Nothing was sent: the process that had it ended before it sent anything/,
    )
    expect(wordsOf(line)).toMatch(/approved by/)
    // It is offered again by itself, and takes an approval of its own.
    const again = await room.card('approve_terminate')
    expect(again.ts).toBe(card.ts)
    expect(wordsOf(again)).toMatch(/Nothing was sent/)
    expect(wordsOf(again)).not.toMatch(/pproved by/)
    expect((await root.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    const offerOf = (message: typeof card) => /"value":"([0-9a-f-]{36})"/.exec(wordsOf(message))?.[1]
    expect(offerOf(again)).not.toBe(offerOf(card))
    await room.press('U0DANA', again, 'approve_terminate')
    await room.until(card.ts, /is gone after/)
    await root.ended
  })
})

describe('killed between press and signal, and started without that cluster', () => {
  it('tells of the action in the channel all the same', async () => {
    room = await openRoom(server.marshalUrl)
    await jam()
    const bot = await started()
    const card = await room.card('approve_terminate')
    server.suspend()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /sending/)
    await bot.kill('SIGKILL')
    server.resume()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
    await room.start({ clusters: [{ name: 'stock', url: '${DATABASE_URL}' }] })
    const line = await room.line(/^Terminate .* on orders, approved by <@U0DANA>.* Nothing was sent/)
    expect(wordsOf(line)).toMatch(/journal \d+ · [0-9a-f]{16}"/)
  })
})

describe('asked to stop', () => {
  it('finishes and tells what is under way, and exits with 0', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jam()
    const bot = await started()
    const card = await room.card('approve_terminate')
    const pressed = room.press('U0DANA', card, 'approve_terminate')
    await pressed
    expect(await bot.kill('SIGTERM')).toBe(0)
    await root.ended
    const told = room.workspace.messages('C0INCIDENTS').find(({ ts }) => ts === card.ts)
    expect(told && wordsOf(told)).toMatch(/is gone after \d+ ms; 1 of 1 waiter moved on/)
  })
})

describe('a second process on the same store', () => {
  it('waits for the first to end, and takes over', async () => {
    room = await openRoom(server.marshalUrl)
    const first = await started()
    const second = await run(room)
    bots.push(second)
    await second.says('waiting up to 15 s for it to end')
    expect(await first.kill('SIGTERM')).toBe(0)
    await second.says('pg-marshal is ready')
  })
})

describe('asked to stop while it waits for Slack', () => {
  it('ends at once', async () => {
    room = await openRoom(server.marshalUrl)
    room.workspace.fault({ method: 'auth.test', kind: 'error500', times: 100 })
    const bot = await run(room)
    bots.push(bot)
    await bot.says('Slack cannot be reached yet')
    expect(await bot.kill('SIGTERM')).toBe(0)
  })
})

describe('a cluster that cannot be seen', () => {
  it('does not keep the bot from starting; it says so, and sees again', async () => {
    const away = await startPostgres()
    try {
      room = await openRoom(await away.createRole('marshal', ['pg_monitor', 'pg_signal_backend']))
      await away.halt()
      await started()
      const card = await room.line(/^🔴 orders accepts no connections/)
      await room.type('U0RESP', 'sessions')
      await room.whisper('U0RESP', /Cannot see orders/)
      await away.restart()
      await room.until(card.ts, /^🟢 Resolved: orders accepted no connections/)
      await room.type('U0RESP', 'sessions')
      await room.line(/nobody waits/i)
    } finally {
      await away.stop()
    }
  })

  it('for want of privileges is told with the grant, never as calm', async () => {
    const weak = await server.createRole('weak')
    room = await openRoom(weak)
    await started()
    await room.line(/^Missing on orders: .*GRANT pg_monitor TO "weak"/)
    await room.line(/^Blind on orders: .*pg_monitor/)
    await room.type('U0RESP', 'sessions')
    const answer = await room.line(/^Sessions on orders\n.*may not see other sessions/)
    expect(answer.text).not.toMatch(/nobody waits/i)
  })
})

describe('the terminal', () => {
  const ends = async (bot: Bot) => ({ code: await bot.ended, output: bot.output() })

  it('ends with one clear message when the token is bad', async () => {
    room = await openRoom(server.marshalUrl)
    const { code, output } = await ends(
      await run({ ...room, env: { ...room.env, SLACK_BOT_TOKEN: 'xoxb-wrong' } }),
    )
    expect(code).toBe(2)
    expect(output).toMatch(/^Slack refused a token \(invalid_auth\)\. Check SLACK_BOT_TOKEN/)
    expect(output).not.toContain('xoxb-wrong')
  })

  it('ends with one clear message when the store cannot be opened', async () => {
    room = await openRoom(server.marshalUrl)
    const yaml = JSON.stringify({ ...JSON.parse(room.yaml), store: { url: `sqlite:${room.directory}` } })
    const { code, output } = await ends(await run({ ...room, yaml }))
    expect(code).toBe(2)
    expect(output).toMatch(/The store .* cannot be opened \(EISDIR\)\. Check store\.url/)
    expect(output).not.toMatch(/ at /)
  })

  it('ends with one clear message when the app token is bad', async () => {
    room = await openRoom(server.marshalUrl)
    const env = { ...room.env, SLACK_APP_TOKEN: 'xapp-wrong', LOG_LEVEL: 'silent' }
    const { code, output } = await ends(await run({ ...room, env }))
    expect(code).toBe(2)
    expect(output).toMatch(/Slack refused a token \(invalid_auth\)/)
  })

  it('ends with every problem at once when the configuration is bad', async () => {
    room = await openRoom(server.marshalUrl)
    const yaml = JSON.stringify({ ...JSON.parse(room.yaml), access: { approvers: 'everyone' }, wach: {} })
    const { code, output } = await ends(await run({ ...room, yaml }))
    expect(code).toBe(2)
    expect(output).toMatch(/access\.approvers/)
    expect(output).toMatch(/wach/)
  })

  it('prints who blocks whom without Slack', async () => {
    room = await openRoom(server.marshalUrl)
    const { root, victim } = await jam()
    const env = { DATABASE_URL: server.marshalUrl }
    const { code, output } = await ends(await run({ ...room, env }, ['blocking', '--json']))
    expect(code).toBe(0)
    const json = JSON.parse(output)
    expect(json).toMatchObject({
      cluster: 'orders',
      roots: [
        {
          pid: root.pid,
          kind: 'session',
          gid: null,
          victims: [victim.pid],
          recommendation: { action: 'terminate' },
        },
      ],
    })
    expect(json.sessions.find(({ pid }: { pid: number }) => pid === victim.pid)).toMatchObject({
      blockedBy: [root.pid],
      usename: 'shop',
      applicationName: 'web',
    })
    const text = await ends(await run({ ...room, env }, ['sessions']))
    expect(text.code).toBe(0)
    expect(text.output).toContain('1 session waits behind 1 root')
  })

  it('tells what is missing, and how to grant it', async () => {
    const poor = await server.createRole('poor')
    room = await openRoom(poor, {
      workspace: { scopes: ['commands', 'app_mentions:read', 'chat:write', 'users:read'] },
    })
    const { code, output } = await ends(await run(room, ['doctor']))
    expect(code).toBe(1)
    expect(output).toContain('Add usergroups:read')
    expect(output).toContain('GRANT pg_monitor TO "poor";')
    expect(output).toContain('GRANT pg_signal_backend TO "poor";')
    const fine = await ends(
      await run({ ...room, env: { ...room.env, DATABASE_URL: server.marshalUrl } }, ['doctor']),
    )
    expect(fine.output).toMatch(/Missing: 2\. Advice \(!\): 4\./)
    // Nothing that the work needs, so it is advice.
    expect(fine.output).toContain('! pg_stat_statements counts what runs')
    expect(fine.output).toContain('      CREATE EXTENSION pg_stat_statements; -- in the database "postgres"')
  })

  it('names a group that Slack does not know', async () => {
    room = await openRoom(server.marshalUrl)
    const access = { approvers: ['S0GONE', 'S0DBAONCALL'] }
    const yaml = JSON.stringify({ ...JSON.parse(room.yaml), access })
    const { code, output } = await ends(await run({ ...room, yaml }, ['doctor']))
    expect(code).toBe(1)
    expect(output).toContain(
      'Slack does not show who is in the group S0GONE, so it lets nobody in (no_such_subteam)',
    )
    expect(output).toContain('Correct its id in the configuration (access), or turn the group on in Slack.')
    expect(output).toContain('Slack shows who is in the group S0DBAONCALL')
  })

  it('says what it is not able to know when Slack or the server is away', async () => {
    room = await openRoom('postgres://marshal:marshal@127.0.0.1:1/orders')
    const env = { ...room.env, SLACK_API_URL: 'http://127.0.0.1:1/api/' }
    const seen = await ends(await run({ ...room, env }, ['doctor']))
    expect(seen.code).toBe(1)
    expect(seen.output).toContain('✗ not known whether the bot token is valid\n      Slack cannot be reached')
    expect(seen.output).toContain('✗ cannot be reached\n      Nothing listens there')
    for (const args of [['sessions'], ['blocking', '--json']]) {
      const { code, output } = await ends(await run({ ...room, env }, args))
      expect(code).toBe(2)
      // It does not go on trying, as the service does.
      expect(output).toMatch(
        /^Cannot see orders: Nothing listens there: .*\nThis says nothing about how it is doing\.\n$/,
      )
    }
  })

  it('ends without a trace of the code when nobody reads on', async () => {
    room = await openRoom(server.marshalUrl)
    const bot = await run(room, ['doctor'])
    bot.child.stdout?.destroy()
    expect(await ends(bot)).toEqual({ code: 141, output: '' })
  })

  it('tells its version', async () => {
    room = await openRoom(server.marshalUrl)
    const { code, output } = await ends(await run(room, ['--version']))
    expect(code).toBe(0)
    expect(output).toMatch(/^pg-marshal \d+\.\d+\.\d+ \(Node 2\d\.\d+\.\d+\)\n$/)
  })

  it('refuses what it does not know', async () => {
    room = await openRoom(server.marshalUrl)
    const { code, output } = await ends(await run(room, ['dance']))
    expect(code).toBe(2)
    expect(output).toContain('There is no command "dance".')
  })

  it.each([
    [['audit', 'verify', '--from', '2026-03-01'], '"audit verify" takes no --from.'],
    [['audit', 'export', '--head', 'a'.repeat(64)], '"audit export" takes no --head.'],
    [
      ['audit', 'verify', '--head', 'a'.repeat(15)],
      '--head takes the hexadecimal digits that stand under an action line in the channel: at least the first 16 of a hash.',
    ],
    [['doctor', '--json'], '"doctor" takes no --json.'],
    [['--cluster', 'orders'], '"serve" takes no --cluster.'],
    [['sessions', '--colour'], "Unknown option '--colour'."],
  ])('refuses an option that means nothing there: %j', async (args, sentence) => {
    room = await openRoom(server.marshalUrl)
    const { code, output } = await ends(await run(room, args))
    expect(code).toBe(2)
    expect(output.split('\n')[0]).toBe(sentence)
  })
})
