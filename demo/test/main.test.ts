import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { bornAt, childrenOf, commandLine } from 'temporary-postgres'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../test/support/postgres.ts'
import { type Options, parseOptions } from '../options.ts'
import { openPracticeRoom } from '../room.ts'

const main = resolve(import.meta.dirname, '../main.ts')

describe('options', () => {
  const standard: Options = { help: false, major: '18', port: 0, keep: false }
  it.each<[string, Partial<Options>]>([
    ['', {}],
    ['--postgres 14 --port 8080 --keep', { major: '14', port: 8080, keep: true }],
    ['--postgres=18 -h', { help: true }],
  ])('“%s” is understood', (line, wanted) => {
    expect(parseOptions(line.split(' ').filter(Boolean))).toEqual({ ...standard, ...wanted })
  })
  it.each([
    ['--postgres 13', '--postgres takes 14, 15, 16, 17 or 18, not 13.'],
    ['--port x', '--port takes a number up to 65535, not x.'],
    ['--port 65536', '--port takes a number up to 65535, not 65536.'],
    ['--prot 1', "Unknown option '--prot'. Try --help."],
    ['now', "Unexpected argument 'now'. Try --help."],
    ['--port', "Option '--port <value>' argument missing. Try --help."],
  ])('“%s” is explained in one sentence', (line, sentence) => {
    expect(() => parseOptions(line.split(' '))).toThrow(sentence)
  })
})

describe('the process', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })

  /** The demo as a process, with a temporary directory of its own, so that its traces are seen. */
  const start = async (...args: string[]) =>
    startIn(await mkdtemp(join(tmpdir(), 'pg-marshal-test-')), ...args)
  const startIn = async (scratch: string, ...args: string[]) => startWith({}, scratch, ...args)
  const startWith = async (env: NodeJS.ProcessEnv, scratch: string, ...args: string[]) => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, TMPDIR: scratch, ...env },
      cwd: scratch,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'close')
    cleanups.push(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
      await rm(scratch, { recursive: true, force: true })
    })
    // The server's account has to enter it.
    await chmod(scratch, 0o755)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    return { child, scratch, ended, output: () => output, left: () => readdirSync(scratch) }
  }
  type Demo = Awaited<ReturnType<typeof start>>
  const untilOpen = async (demo: Demo): Promise<string> => {
    const address = /Open {3}(http:\/\/127\.0\.0\.1:\d+)/
    await waitFor(() => {
      if (demo.child.exitCode !== null) throw new Error(demo.output())
      return address.test(demo.output())
    }, 'it is open')
    return address.exec(demo.output())?.[1] ?? ''
  }
  const serverOf = (demo: Demo): number => {
    const data = join(demo.scratch, demo.left().find((name) => name.startsWith('temporary-postgres-')) ?? '')
    return Number(/^\d+/.exec(readFileSync(join(data, 'data', 'postmaster.pid'), 'utf8'))?.[0])
  }

  it('opens, serves two at once, and leaves nothing behind on Ctrl-C and SIGTERM', async () => {
    const [one, two] = await Promise.all([start(), start()])
    const urls = await Promise.all([untilOpen(one), untilOpen(two)])
    expect(new Set(urls).size).toBe(2)
    for (const url of urls) expect((await fetch(url)).status).toBe(200)
    const servers = [serverOf(one), serverOf(two)]
    const ending = performance.now()
    one.child.kill('SIGINT')
    two.child.kill('SIGTERM')
    await Promise.all([one.ended, two.ended])
    expect(performance.now() - ending).toBeLessThan(3_000)
    expect([one.left(), two.left()]).toEqual([[], []])
    await waitFor(() => servers.every((pid) => !lives(pid)), 'both servers are gone')
  })

  it('leaves nothing behind when it is killed, even with a server that hangs', async () => {
    const demo = await start()
    const url = await untilOpen(demo)
    await fetch(`${url}/control/panel/setFault`, { method: 'POST', body: '["pg-hang", true]' })
    const server = serverOf(demo)
    expect(lives(server)).toBe(true)
    demo.child.kill('SIGKILL')
    await demo.ended
    await waitFor(() => demo.left().length === 0 && !lives(server), 'the dead man’s switch has worked')
  })

  it('what is left when even the dead man’s switch was killed goes at the next start', async () => {
    const demo = await start()
    await untilOpen(demo)
    const server = serverOf(demo)
    const isSwitch = (pid: number) => commandLine(pid)?.args.startsWith('/bin/sh -c') ?? false
    const last = childrenOf(demo.child.pid ?? 0).filter(isSwitch)
    expect(last).toHaveLength(1)
    for (const pid of [...last, demo.child.pid ?? 0]) process.kill(pid, 'SIGKILL')
    await demo.ended
    expect(lives(server)).toBe(true)

    const next = await startIn(demo.scratch)
    await untilOpen(next)
    expect(lives(server)).toBe(false)
    next.child.kill('SIGINT')
    await next.ended
    expect(next.left()).toEqual([])
  })

  it('what is left of a standby that was being made goes at the next start', async () => {
    const demo = await start()
    const url = await untilOpen(demo)
    // Each with the mark of its owner: before that it is nobody's.
    const directories = () => demo.left().filter((name) => existsSync(join(demo.scratch, name, 'owner.json')))
    const made = fetch(`${url}/control/panel/startTrouble`, { method: 'POST', body: '["standby-conflict"]' })
    made.catch(() => {})
    await waitFor(() => directories().length === 2, 'the copy has begun')
    demo.child.kill('SIGKILL')
    await demo.ended
    await waitFor(() => directories().length < 2, 'the dead man’s switch has worked')
    const next = await startIn(demo.scratch)
    await untilOpen(next)
    next.child.kill('SIGINT')
    await next.ended
    // The dead man's switch of the first may be at it, too.
    await waitFor(() => next.left().length === 0, 'nothing is left')
  })

  it('ends without a word when nobody reads its words any more', async () => {
    const demo = await start()
    await waitFor(() => demo.output().includes('Starting PostgreSQL'), 'it starts')
    demo.child.stdout.destroy()
    expect(await demo.ended).toEqual([0, null])
    expect(demo.output()).not.toContain('failed')
    await waitFor(() => demo.left().length === 0, 'nothing is left', { seen: demo.left })
  })

  it('ends at once while everything is out of order', async () => {
    const demo = await start()
    const url = await untilOpen(demo)
    for (const fault of ['slack-down', 'pg-hang'])
      await fetch(`${url}/control/panel/setFault`, { method: 'POST', body: JSON.stringify([fault, true]) })
    const ending = performance.now()
    demo.child.kill('SIGINT')
    await demo.ended
    expect(performance.now() - ending).toBeLessThan(3_000)
    await waitFor(() => demo.left().length === 0, 'nothing is left', { seen: demo.left })
  })

  it('ends while it starts', async () => {
    const demo = await start()
    await waitFor(() => demo.output().includes('Starting PostgreSQL'), 'it starts')
    demo.child.kill('SIGTERM')
    await demo.ended
    await waitFor(() => demo.left().length === 0, 'nothing is left', { seen: demo.left })
  })

  it('opens for people who have servers of their own in the environment', async () => {
    const own = {
      PGSSLMODE: 'require',
      PGOPTIONS: '-c no_such=1',
      PGHOST: '/x',
      PGDATABASE: 'x',
      LC_ALL: 'xx',
    }
    await untilOpen(await startWith(own, await mkdtemp(join(tmpdir(), 'pg-marshal-test-'))))
  })

  it('says in one sentence that there is no room for its files', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-test-'))
    const missing = join(scratch, 'missing')
    const demo = await startWith({ TMPDIR: missing }, scratch)
    expect(await demo.ended).toEqual([1, null])
    expect(demo.output()).toContain(`Nothing can be written in ${missing}: set TMPDIR to`)
    expect(demo.left()).toEqual([])
  })

  it.runIf(process.getuid?.() === 0)('says that the account of the server cannot enter', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-test-'))
    const own = await mkdtemp(join(scratch, 'of-root-'))
    const demo = await startWith({ TMPDIR: own }, scratch)
    expect(await demo.ended).toEqual([1, null])
    expect(demo.output()).toContain(`cannot enter ${own}: set TMPDIR to another directory.`)
    expect(readdirSync(own)).toEqual([])
  })

  it('says in one sentence that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    cleanups.push(() => other.close())
    const { port } = other.address() as { port: number }
    const demo = await start('--port', String(port))
    expect(await demo.ended).toEqual([1, null])
    expect(demo.output()).toBe('This port is taken: choose another one with --port, or none.\n')
    expect(demo.left()).toEqual([])
  })
})

describe('--keep', () => {
  it('goes on with the data, the journal and the conversation; nobody else may use them meanwhile', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'pg-marshal-test-'))
    await chmod(scratch, 0o755)
    const keepIn = join(scratch, 'kept')
    let room = await openPracticeRoom({ keepIn })
    try {
      room.workspace.say({ userId: 'U0RESP', channelId: 'C0INCIDENTS', text: 'remember this' })
      await expect(openPracticeRoom({ keepIn })).rejects.toThrow('is in use by process')
      const data = room.postgres.dataDir
      await room.stop()
      expect(existsSync(data)).toBe(true)
      expect(existsSync(join(dirname(data), 'owner.json'))).toBe(false)
      room = await openPracticeRoom({ keepIn })
      expect(room.workspace.messages('C0INCIDENTS').map(({ text }) => text)).toContain('remember this')
      await room.stop()
      // As a crash of the machine may leave them.
      await writeFile(join(keepIn, 'owner.json'), '')
      await writeFile(join(keepIn, 'workspace.json'), '{"messages"')
      await expect(openPracticeRoom({ keepIn })).rejects.toThrow('workspace.json is damaged: remove it')
      await rm(join(keepIn, 'workspace.json'))
      room = await openPracticeRoom({ keepIn })
    } finally {
      await room.stop()
      await rm(scratch, { recursive: true, force: true })
    }
  })
})

/** A zombie has ended; where nobody collects it, a signal still finds it. */
const lives = (pid: number): boolean => bornAt(pid) !== null
