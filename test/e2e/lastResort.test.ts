import { afterEach, describe, expect, it } from 'vitest'
import { askedDocument } from '../../src/api/documents.ts'
import { readStore } from '../../src/store/reading.ts'
import { hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import {
  openSession,
  startTestServer,
  type TestServer,
  type TestSession,
  waitFor,
} from '../support/postgres.ts'
import { type Bot, serve } from '../support/process.ts'
import { callerOf, tokenOf } from '../support/programs.ts'

/** The last resort: a server that nobody can ask, on the machine of the bot. */

let room: Room | undefined
let bot: Bot | undefined
const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  await bot?.kill('SIGKILL')
  await room?.close()
  room = bot = undefined
  for (const end of ends.splice(0).reverse()) await end()
})

const testServer = async (settings: Record<string, string> = {}): Promise<TestServer> => {
  const server = await startTestServer({ settings })
  ends.push(server.stop)
  return server
}

const roomOf = async (server: TestServer, cluster: object = {}): Promise<Room> => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
  const orders = { name: 'orders', url: '${DATABASE_URL}', host: 'local', ...cluster }
  room = await openRoom(server.marshalUrl, { over: { clusters: [orders] } })
  return room
}

/** The bot, at work for a server, with the address of an ordinary role there. */
async function atWork({
  settings = {},
  cluster = {},
}: {
  readonly settings?: Record<string, string>
  readonly cluster?: object
} = {}) {
  const server = await testServer(settings)
  const shop = await server.createRole('shop')
  const at = await roomOf(server, cluster)
  await at.start()
  return { server, shop, at }
}

/** Takes every slot that there is, also those that the bot loses. */
async function fill(server: TestServer, url: string): Promise<void> {
  const fillers: TestSession[] = []
  ends.push(async () => {
    await Promise.all(fillers.map((one) => one.close()))
  })
  const ours = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'marshal'"
  await waitFor(async () => {
    await server.admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'marshal'",
    )
    for (;;) {
      const filler = await openSession('leak', url).catch(() => null)
      if (filler === null) break
      fillers.push(filler)
    }
    return (await server.admin.query(ours)).rows[0].n === 0
  }, 'every slot is taken')
}

const isThere = async (server: TestServer, { pid }: { readonly pid: number }) =>
  (await server.admin.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).rows.length === 1

/** Asks for an action, and finds the card that asks the approvers. */
async function askFor({ type, card }: Room, action: 'cancel' | 'terminate', { pid }: TestSession) {
  await type('U0RESP', `${action} ${pid} it hangs`)
  return card(`approve_${action}`, String(pid))
}

const journal = async () => {
  const path = `${room?.directory}/store.db`
  const read = await readStore({ kind: 'sqlite', path }, async ({ journal }) => {
    const events = []
    for await (const { event } of journal.all()) events.push(JSON.parse(event))
    return events
  })
  return read ?? []
}

describe('every slot taken, and our connections lost', () => {
  it('command, card, press, signal: the process is gone, its slot is free, and the server lives', async () => {
    const { server, shop, at } = await atWork({
      settings: { max_connections: '12' },
      cluster: { protected: [{ applicationName: 'pg_dump' }] },
    })
    const { type, line, card, press, until } = at
    const leak = await server.open('leak', shop)
    await fill(server, shop)
    const blind = await line(/^🔴 orders accepts no connections/)
    expect(wordsOf(blind)).toMatch(/Last resort: [\s\S]*\/pg sessions/)

    await type('U0RESP', `terminate ${leak.pid} it leaks`)
    const asked = await card('approve_terminate', String(leak.pid))
    expect(asked.text).toMatch(/^🟠 Terminate shop \(\d+\) on orders: waits for approval/)
    expect(wordsOf(asked)).toMatch(
      /From the operating system: [\s\S]*no locks, no statement but its title, no application/,
    )
    expect(wordsOf(asked)).toMatch(/it may be pg_dump, which is protected/)
    expect(wordsOf(asked)).toMatch(/postgres: shop postgres 127\.0\.0\.1\(\d+\) idle/)
    await press('U0DANA', asked, 'approve_terminate')
    await until(asked.ts, /^✅ Terminated shop \(\d+\) on orders[\s\S]*is gone after/)
    await leak.ended
    await line(/^Terminate .* on orders, approved by <@U0DANA>, requested by <@U0RESP>: \d+ is gone after/)
    const events = (await journal()).filter(({ proposalId }) => proposalId !== undefined)
    const session = {
      cluster: 'orders',
      pid: leak.pid,
      backendStart: expect.stringMatching(/^boot .* postmaster \d+@\d+ process \d+$/),
    }
    expect(events).toMatchObject([
      { kind: 'requested', session, reason: 'it leaks' },
      { kind: 'approved' },
      { kind: 'intended', session, approvedBy: ['U0DANA'] },
      {
        kind: 'outcome',
        session,
        sql: `kill -TERM ${leak.pid}`,
        returned: true,
        outcome: { kind: 'effective' },
      },
    ])
    expect((await server.admin.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
  })
})

describe('a postmaster that hangs', () => {
  /** New connections hang, those that there are go on; the bot has none any more. */
  const hang = async (server: TestServer, { line }: Room) => {
    const pid = server.pid()
    process.kill(pid, 'SIGSTOP')
    ends.push(async () => void process.kill(pid, 'SIGCONT'))
    await server.admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'marshal'",
    )
    return line(/^🔴 orders does not answer/)
  }

  it('shows its processes, with what nobody can see, and a button asks for one of them', async () => {
    const { server, shop, at } = await atWork()
    const [idle, busy] = await Promise.all([server.open('web', shop), server.open('job', shop)])
    // While the server answers, what it does not know stands beside.
    await at.type('U0RESP', `session ${idle.pid}`)
    const seen = await at.line(new RegExp(`^Session ${idle.pid} on orders`))
    expect(seen.text).toMatch(
      /On the machine: sleeps; since .*; \d+ % of a core now, .* of CPU in all; read .*, wrote /,
    )
    // In the list of a SELECT it works without writing anything to disk.
    void busy.start('SELECT count(*) FROM (SELECT generate_series(1, 1000000000000)) AS one')
    await server.until("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1", [busy.pid])
    await at.type('U0RESP', 'top')
    const top = await at.line(/^What runs most on orders/)
    expect(top.text).toMatch(
      new RegExp(`${busy.pid} · .*\\d+ % of a core now, .* of CPU in all · read .*, wrote`),
    )

    const blind = await hang(server, at)
    // What the server has shown is another thing to ask for than its process.
    await at.press('U0RESP', seen, 'pg_propose_terminate')
    await at.whisper(
      'U0RESP',
      /the server does not answer, so \d+ can be ended by the operating system alone/,
    )
    await at.type('U0RESP', 'sessions')
    const all = await at.line(/^Processes of orders/)
    expect(all.text).toMatch(
      /Cannot ask orders: [\s\S]*From the operating system: no locks, and no statements but titles\./,
    )
    expect(all.text).toMatch(/3 of \d+ processes serve clients: 1 running, 0 idle in transaction, 2 idle\./)
    expect(all.text).toMatch(/1 is stopped \(T\)|Held by: 2 shop · postgres · 127\.0\.0\.1/)
    expect(all.text).toMatch(
      new RegExp(`${busy.pid} \\| shop · postgres \\| SELECT \\| runs \\| .* \\| \\d+ %, .* \\| read`),
    )
    expect(all.text).toMatch(/Never kill -9[\s\S]*Instead, in this order: cancel it, terminate it/)
    // Who does something stands first.
    expect(all.text.indexOf(String(busy.pid))).toBeLessThan(all.text.indexOf(String(idle.pid)))
    await at.type('U0RESP', 'idle --app web')
    const idlers = await at.line(/^Idle processes of orders/)
    expect(idlers.text).toContain(`${idle.pid} |`)
    expect(idlers.text).not.toContain(`${busy.pid} |`)
    expect(idlers.text).toMatch(/Left out: --app\. No process shows that/)
    await at.type('U0RESP', 'long --user shop')
    const long = await at.line(/^Busy processes of orders/)
    expect(long.text).toContain(`${busy.pid} |`)
    expect(long.text).not.toContain(`${idle.pid} |`)
    await at.type('U0RESP', '')
    expect((await at.line(/^pg-marshal: overview/)).text).toMatch(
      /cannot be seen: .*From the operating system: 3 of \d+ processes serve clients/,
    )
    await at.type('U0RESP', 'blocking')
    expect(await at.whisper('U0RESP', /^Cannot see orders/)).toMatch(
      /Its processes can still be seen[\s\S]*\/pg sessions/,
    )
    const { rows } = await server.admin.query(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'",
    )
    await at.type('U0RESP', `session ${rows[0].pid}`)
    expect((await at.line(new RegExp(`^Process ${rows[0].pid} of orders`))).text).toMatch(
      /walwriter[\s\S]*Nothing to do from here: [\s\S]*serves no client/,
    )
    await at.type('U0RESP', 'session 999999')
    await at.whisper('U0RESP', /The server has no process 999999/)

    await at.type('U0RESP', `session ${busy.pid}`)
    const one = await at.line(new RegExp(`^Process ${busy.pid} of orders`))
    expect(one.text).toMatch(/On the machine: runs; [\s\S]*What could be done: \/pg cancel \d+ reason/)
    expect(wordsOf(one)).toContain('postgres: shop postgres 127.0.0.1')
    await at.press('U0RESP', one, 'pg_propose_cancel')
    const asked = await at.card('approve_cancel', String(busy.pid))
    await at.press('U0DANA', asked, 'approve_cancel')
    await at.until(asked.ts, /The statement of \d+ ended after/)

    // What was shown by its process is another one's to ask for when the server answers.
    process.kill(server.pid(), 'SIGCONT')
    await at.until(blind.ts, /^🟢 Resolved/)
    await at.press('U0RESP', all, 'pg_propose_terminate')
    await at.whisper('U0RESP', /the server answers again, and knows more of \d+ than the operating system/)
  })

  it('a cancel by the operating system ends the statement alone', async () => {
    const { server, shop, at } = await atWork()
    const session = await server.open('report', shop)
    const slept = session.start('SELECT pg_sleep(3600)')
    await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [session.pid])
    await hang(server, at)
    const asked = await askFor(at, 'cancel', session)
    await at.press('U0DANA', asked, 'approve_cancel')
    await at.until(asked.ts, /The statement of \d+ ended after/)
    expect(await slept).toMatchObject({ code: '57014' })
    expect(await isThere(server, session)).toBe(true)
  })

  it('a program may ask for a process too, and means the same one by what it was answered', async () => {
    const server = await testServer()
    const shop = await server.createRole('shop')
    const at = await roomOf(server)
    const call = callerOf(await at.start({ http: { port: 0, api: { tokens: [tokenOf('deploybot')] } } }))
    const session = await server.open('web', shop)
    await hang(server, at)
    const ask = (backendStart?: string) =>
      call('/api/v1/proposals', {
        body: {
          ...{ cluster: 'orders', pid: session.pid, action: 'terminate' },
          ...{ reason: 'it hangs', backendStart },
        },
      })
    const made = await ask()
    expect(made.status).toBe(201)
    const asked = askedDocument.parse(made.body)
    expect(asked.session.backendStart).toMatch(/^boot /)
    const again = await ask(asked.session.backendStart)
    expect(again).toMatchObject({ status: 201, body: { id: asked.id } })
    await at.press('U0DANA', await at.card('approve_terminate', String(session.pid)), 'approve_terminate')
    const ended = await call(`/api/v1/proposals/${asked.id}?wait=30s`)
    expect(ended.body).toMatchObject({ state: 'done', outcome: { kind: 'effective' } })
    await session.ended
  })

  it('one that changed meanwhile, or is protected, is left alone, and it is said why', async () => {
    const { server, shop, at } = await atWork({ cluster: { protected: [{ user: 'backup' }] } })
    const backup = await server.createRole('backup')
    const [session, kept] = await Promise.all([server.open('web', shop), server.open('dump', backup)])
    await hang(server, at)
    await at.type('U0RESP', `terminate ${kept.pid} it hangs`)
    await at.whisper('U0RESP', /protected by the configuration \(user: backup\)/)
    const { rows } = await server.admin.query(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
    )
    await at.type('U0RESP', `terminate ${rows[0].pid} it hangs`)
    await at.whisper('U0RESP', /serves no client[\s\S]*Never kill -9[\s\S]*Instead, in this order/)
    await at.type('U0RESP', `cancel ${session.pid} it hangs`)
    await at.whisper('U0RESP', /Cancel has no effect on it/)
    await at.type('U0RESP', `terminate ${process.pid} it hangs`)
    await at.whisper('U0RESP', /this server has no process/)
    const asked = await askFor(at, 'terminate', session)
    await session.query('BEGIN')
    await at.press('U0DANA', asked, 'approve_terminate')
    await at.until(asked.ts, /Nothing was sent: \d+ is not what was approved: it is in use again/)
    expect((await session.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    expect(await isThere(server, kept)).toBe(true)
  })

  it('that answers again is asked itself: what was asked for is taken back, with the way on', async () => {
    const { server, shop, at } = await atWork()
    const session = await server.open('web', shop)
    const blind = await hang(server, at)
    const asked = await askFor(at, 'terminate', session)
    process.kill(server.pid(), 'SIGCONT')
    await at.until(blind.ts, /^🟢 Resolved/)
    await at.until(
      asked.ts,
      new RegExp(
        `^⚪ Withdrawn: [\\s\\S]*the server answers again: ask once more, with what /pg session ${session.pid} shows\\.`,
      ),
    )
    expect(hasButton(await at.until(asked.ts, /Withdrawn/), 'approve_terminate')).toBe(false)
    expect((await session.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
  })
})

describe('a server that is stopped (SIGSTOP)', () => {
  it('what was asked of the server sends nothing, and names the last resort', async () => {
    const { server, shop, at } = await atWork()
    const session = await server.open('web', shop)
    const asked = await askFor(at, 'terminate', session)
    server.suspend()
    await at.line(/^🔴 orders does not answer/)
    await at.press('U0DANA', asked, 'approve_terminate')
    await at.until(
      asked.ts,
      new RegExp(
        `Nothing was sent: [\\s\\S]*/pg terminate ${session.pid} asks for it by the operating system`,
      ),
    )
    const failed = await at.card('pg_offer_again', String(session.pid))
    await at.press('U0RESP', failed, 'pg_offer_again')
    await at.whisper(
      'U0RESP',
      /the server does not answer, so \d+ can be ended by the operating system alone/,
    )
    server.resume()
    expect((await session.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
  })

  it('keeps the signal pending, which is said; it takes effect when the server goes on', async () => {
    const { server, shop, at } = await atWork()
    const session = await server.open('web', shop)
    server.suspend()
    await at.line(/^🔴 orders does not answer/)
    const asked = await askFor(at, 'terminate', session)
    await at.press('U0DANA', asked, 'approve_terminate')
    await at.until(
      asked.ts,
      /^🟠 Still there[\s\S]*is stopped \(SIGSTOP, or a debugger\): the signal is pending/,
    )
    server.resume()
    await session.ended
    expect((await server.admin.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
  })

  it('killed between intent and signal, the bot says after its start what is known, and sends nothing', async () => {
    const server = await testServer()
    const shop = await server.createRole('shop')
    const at = await roomOf(server)
    bot = await serve(at)
    const session = await server.open('web', shop)
    server.suspend()
    await at.line(/^🔴 orders does not answer/)
    const asked = await askFor(at, 'terminate', session)
    await at.press('U0DANA', asked, 'approve_terminate')
    await at.until(asked.ts, /sending/)
    await bot.kill('SIGKILL')
    bot = await serve(at)
    await at.until(
      asked.ts,
      /Outcome unknown: [\s\S]*The process is still there: postgres: shop|Nothing was sent: the process that had it ended/,
    )
    expect((await journal()).filter(({ kind }) => kind === 'outcome')).toHaveLength(1)
  })
})
