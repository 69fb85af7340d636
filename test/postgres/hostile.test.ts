import { execFile } from 'node:child_process'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import fc from 'fast-check'
import pino from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { createConnection } from '../../src/postgres/connection.ts'
import { createMessageReader } from '../../src/postgres/wire.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import {
  answerStatements,
  type Column,
  changedRows,
  goodRows,
  type HostileServer,
  int32,
  loggedIn,
  message,
  ready,
  saidWith,
  startHostileServer,
} from '../support/hostile.ts'

const servers: HostileServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

/** The code that the first attempt ends with. */
async function failureAt(url: string, connectMs = 2_000): Promise<string | undefined> {
  const connection = createConnection({
    url,
    log: pino({ level: 'silent' }),
    connectMs,
    deadlineMs: 2_000,
    onDeadline: 'drop',
    settings: {},
  })
  await connection.start()
  const code = connection.failure()?.code
  await connection.close()
  return code
}

async function failureWith(answer: (socket: Socket, phase: number, received: Buffer) => void, query = '') {
  const server = await startHostileServer(answer, query)
  servers.push(server)
  return failureAt(server.url)
}

const at0 = (bytes: Buffer) => (socket: Socket, phase: number) => {
  if (phase === 0) socket.write(bytes)
}
const at1 = (bytes: Buffer) => (socket: Socket, phase: number) => {
  if (phase === 0) socket.write(loggedIn)
  else if (phase === 1) socket.write(bytes)
}
const login = (code: number, rest: Buffer = Buffer.alloc(0)) =>
  message('R', Buffer.concat([int32(code), rest]))
const described = (...names: string[]) =>
  message(
    'T',
    Buffer.concat([
      Buffer.from([0, names.length]),
      ...names.map((name) => Buffer.concat([Buffer.from(`${name}\0`), Buffer.alloc(18)])),
    ]),
  )

describe('what no PostgreSQL sends ends one connection, with its reason', () => {
  test.each([
    ['GSSAPI', at0(login(7)), 'LOGIN_UNKNOWN'],
    ['a login of the future', at0(login(99)), 'LOGIN_UNKNOWN'],
    ['no kind of login', at0(message('R')), 'BAD_MESSAGE'],
    ['a list of methods without its end', at0(login(10, Buffer.from('SCRAM-SHA-256'))), 'BAD_MESSAGE'],
    ['no method that is known', at0(login(10, Buffer.from('OTHER\0\0'))), 'BAD_ANSWER'],
    ['the second step of a login first', at0(login(11, Buffer.from('r=1'))), 'BAD_ANSWER'],
    ['its last step first', at0(login(12, Buffer.from('v=1'))), 'BAD_ANSWER'],
    ['a web server', at0(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), 'BAD_MESSAGE'],
    ['an SSH server', at0(Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')), 'BAD_MESSAGE'],
    ['another version of the protocol', at0(message('v', Buffer.alloc(8))), 'BAD_MESSAGE'],
    ['an error whose fields never end', at0(message('E', Buffer.from('SFATAL\0C28000\0'))), 'BAD_MESSAGE'],
    ['an error with a text that never ends', at0(message('E', Buffer.from('SFATAL'))), 'BAD_MESSAGE'],
    ['a length that is none', at0(message('Z', Buffer.from('I'), 3)), 'BAD_MESSAGE'],
    ['an announced 2 GB setting', at0(message('S', Buffer.from('x'), 2 ** 31)), 'BAD_MESSAGE'],
    ['rows before any statement', at0(Buffer.concat([loggedIn, message('D', Buffer.from([0, 0]))])), ''],
    ['an announced 2 GB row', at1(message('D', Buffer.from([0, 1]), 2 ** 31)), 'TOO_LARGE'],
    [
      'a row that is shorter than its field',
      at1(message('D', Buffer.from([0, 1, 0, 0, 0, 9, 65]))),
      'BAD_MESSAGE',
    ],
    ['a field of a negative length', at1(message('D', Buffer.from([0, 1, 255, 255, 255, 0]))), 'BAD_MESSAGE'],
    ['a row with bytes left over', at1(message('D', Buffer.from([0, 0, 1]))), 'BAD_MESSAGE'],
    ['columns without their end', at1(message('T', Buffer.from([0, 1, 65]))), 'BAD_MESSAGE'],
    ['a request to copy', at1(message('G', Buffer.alloc(3))), 'BAD_MESSAGE'],
    ['data of a copy', at1(message('d', Buffer.from('x'))), 'BAD_MESSAGE'],
    [
      'a row with more fields than columns',
      at1(
        Buffer.concat([
          described('a'),
          message('D', Buffer.from([0, 2, 255, 255, 255, 255, 255, 255, 255, 255])),
          message('C', Buffer.from('SELECT 1\0')),
          ready,
        ]),
      ),
      'BAD_ANSWER',
    ],
  ])('%s', async (_, answer, code) => {
    const failed = await failureWith(answer)
    if (code === '') expect(failed).toBeTypeOf('string')
    else expect(failed).toBe(code)
  })

  test('a password goes by SCRAM only, unless the url allows more', async () => {
    const asksFor = (request: Buffer) => {
      const received: Buffer[] = []
      const answer = (socket: Socket, phase: number, data: Buffer) => {
        if (phase === 0) socket.write(request)
        else {
          received.push(data)
          socket.end()
        }
      }
      return { answer, received: () => Buffer.concat(received).toString('latin1') }
    }
    for (const request of [login(3), login(5, Buffer.from('salt'))]) {
      const asked = asksFor(request)
      expect(await failureWith(asked.answer)).toBe('LOGIN_NOT_ALLOWED')
      expect(asked.received()).toBe('')
    }
    const clear = asksFor(login(3))
    await failureWith(clear.answer, '?require_auth=scram-sha-256,password')
    expect(clear.received()).toContain('hunter2')
    const md5 = asksFor(login(5, Buffer.from('salt')))
    await failureWith(md5.answer, '?require_auth=md5')
    expect(md5.received()).toMatch(/^p.*md5[0-9a-f]{32}/s)
    expect(await failureWith(asksFor(login(3)).answer, '?require_auth=md5')).toBe('LOGIN_NOT_ALLOWED')
    expect(await failureWith(at0(loggedIn), '?require_auth=scram-sha-256')).toBe('LOGIN_NOT_ALLOWED')
    const scram = asksFor(login(10, Buffer.from('SCRAM-SHA-256\0\0')))
    await failureWith(scram.answer)
    expect(scram.received()).toMatch(/^p.*SCRAM-SHA-256/s)
  })

  test('a server without encryption is named so, and so is a certificate file that is not there', async () => {
    expect(await failureWith((socket) => socket.write('N'), '?sslmode=require')).toBe('NO_TLS')
    const connection = createConnection({
      url: 'postgres://u:hunter2@127.0.0.1:1/x?sslmode=verify-ca&sslrootcert=/no/such.pem',
      log: pino({ level: 'silent' }),
      connectMs: 1_000,
      deadlineMs: 1_000,
      onDeadline: 'drop',
      settings: {},
    })
    await connection.start()
    expect(connection.failure()?.reason).toBe(
      'sslrootcert in the url names /no/such.pem. There is no such file: put it there, or correct the path.',
    )
    await connection.close()
  })
})

describe('rows of another content make the cluster blind, with the reason in words', () => {
  afterEach(closeClusters)
  const clusterAt = async (rows: Parameters<typeof answerStatements>[0]) => {
    const server = await startHostileServer(answerStatements(rows))
    servers.push(server)
    const cluster = openCluster({ url: server.url })
    await cluster.start()
    return cluster
  }

  test('good ones are seen', async () => {
    const cluster = await clusterAt(goodRows)
    expect(cluster.failure()).toBeNull()
    expect((await cluster.snapshot()).sessions).toHaveLength(1)
  })

  test.each<[string, Parameters<typeof changedRows>, RegExp]>([
    ['a NULL where none can be', ['activity', 'pid', ['pid', 23, null]], /\(pid: expected number/],
    ['a text for a number', ['activity', 'pid', ['pid', 25, 'sesame']], /\(pid: expected number/],
    ['a number that is none', ['activity', 'pid', ['pid', 23, 'sesame']], /\(pid: expected number/],
    ['a missing column', ['activity', 'said', null], /\(said: expected string/],
    ['a text that is no list', ['activity', 'said', ['said', 25, 'sesame']], /\(said: expected a list/],
    ['a list of one', ['activity', 'said', ['said', 25, '["sesame"]']], /\(said: expected a list/],
    ['jsonb for text', ['activity', 'said', ['said', 3802, '{"sesame": 1}']], /\(said: expected string/],
    [
      'a timestamp that is none',
      ['activity', 'said', ['said', 25, saidWith({ backend_start: 'sesame' })]],
      /\(backend_start: expected a timestamp/,
    ],
    [
      'a timestamp of another zone',
      ['activity', 'said', ['said', 25, saidWith({ backend_start: '2026-01-01 10:00:00+02' })]],
      /\(backend_start: expected a timestamp/,
    ],
    [
      'an oid that is none',
      ['activity', 'said', ['said', 25, saidWith({ datid: 'sesame' })]],
      /\(datid: expected a number/,
    ],
    [
      'an object for a state',
      ['activity', 'said', ['said', 25, saidWith({ state: { sesame: 1 } })]],
      /\(said: expected a list/,
    ],
    ['no statement', ['activity', 'query', null], /\(query: /],
    ['no list of pids', ['activity', 'pids', null], /\(pids: expected string/],
    [
      'another list',
      ['activity', 'pids', ['pids', 25, '{4711,sesame}']],
      /\(pids: expected a list of numbers/,
    ],
    [
      'nothing of a new process',
      ['activity', 'pids', ['pids', 25, '{4711,4712}']],
      /\(said: expected one of/,
    ],
    [
      'more pids than processes can be',
      ['activity', 'pids', ['pids', 25, `{4711${',4711'.repeat(50_000)}}`]],
      /\(pids: expected no more than 50000/,
    ],
    ['a clock that is none', ['activity', 'now', ['now', 701, 'sesame']], /\(now: expected number/],
    ['another shape of facts', ['facts', 'datid', ['datid', 3802, '["sesame"]']], /\(datid: expected number/],
    ['a kind that is none', ['names', 'kind', ['kind', 25, 'sesame']], /\(kind: expected one of/],
  ])('%s', async (_, [statement, name, column], reason) => {
    const cluster = await clusterAt(changedRows(statement, name, column))
    await expect(cluster.snapshot()).rejects.toMatchObject({ name: 'ClusterError', code: 'BAD_ROWS' })
    expect(cluster.failure()?.reason).toMatch(reason)
    expect(cluster.failure()?.reason).not.toContain('sesame')
  })

  test('no facts at all, and too many of them', async () => {
    const none = await clusterAt({ ...goodRows, facts: [] })
    expect(none.failure()?.code).toBe('BAD_ROWS')
    const two = await clusterAt({ ...goodRows, facts: [...goodRows.facts, ...goodRows.facts] })
    expect(two.failure()?.reason).toContain('(the rows: ')
  })

  test('one that was well before is blind from then on', async () => {
    const rows: Record<string, readonly (readonly Column[])[]> = { ...goodRows }
    const cluster = await clusterAt(rows)
    await cluster.snapshot()
    Object.assign(rows, changedRows('activity', 'pid', null))
    await expect(cluster.snapshot()).rejects.toMatchObject({ code: 'BAD_ROWS' })
    expect(cluster.failure()?.code).toBe('BAD_ROWS')
  })

  test('so does a lock table of another shape, which is no jam', async () => {
    const waiting = changedRows('activity', 'said', ['said', 25, saidWith({ wait_event_type: 'Lock' })])
    const lock: readonly Column[] = [
      ['target', 25, 'sesame'],
      ['mode', 25, 'ShareLock'],
      ['granted', 16, 'f'],
      ['pids', 1007, '{4711}'],
      ['wait_starts', 1022, '{NULL}'],
      ['read_at', 701, '1'],
    ]
    const cluster = await clusterAt({ ...waiting, locks: [lock] })
    await expect(cluster.snapshot()).rejects.toMatchObject({
      code: 'BAD_ROWS',
      reason: expect.stringContaining('(target: expected a lock)'),
    })
    // /readyz shows it until a look goes well.
    expect(cluster.failure()?.code).toBe('BAD_ROWS')
  })
})

describe('memory is bounded', () => {
  const endless: readonly [string, Buffer][] = [
    ['small rows', message('D', Buffer.from([0, 1, 255, 255, 255, 255]))],
    [
      'rows of 1 MB',
      message('D', Buffer.concat([Buffer.from([0, 1]), int32(2 ** 20), Buffer.alloc(2 ** 20, 65)])),
    ],
    ['settings', message('S', Buffer.from('TimeZone\0UTC\0'))],
    ['ends of statements', message('C', Buffer.from('SELECT 1\0'))],
    ['columns', described('a')],
  ]
  test.each(endless)('endless %s', { timeout: 60_000 }, async (_, row) => {
    const many = Buffer.concat(Array.from({ length: Math.ceil(2 ** 18 / row.length) }, () => row))
    const server = await startHostileServer((socket, phase) => {
      if (phase === 0) socket.write(loggedIn)
      if (phase !== 1) return
      socket.write(described('a'))
      const flood = () => {
        while (!socket.destroyed && socket.write(many));
        if (!socket.destroyed) socket.once('drain', flood)
      }
      flood()
    })
    servers.push(server)
    const child = new URL('../support/endlessRows.ts', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, [child, server.url])
    const { code, maxRss } = JSON.parse(stdout)
    expect(code).toBe('TOO_LARGE')
    expect(maxRss / 1024).toBeLessThan(300)
  })
})

describe('the reader of messages', () => {
  const good = [
    loggedIn,
    described('a', 'b'),
    message('D', Buffer.from([0, 2, 255, 255, 255, 255, 0, 0, 0, 1, 65])),
    message('C', Buffer.from('SELECT 1\0')),
    message('E', Buffer.from('SERROR\0C42501\0\0')),
    message('N', Buffer.from('\0')),
    message('A', Buffer.from('1234c\0p\0')),
    message('t', Buffer.from([0, 1, 0, 0, 0, 23])),
    message('1'),
    message('2'),
    message('n'),
    ready,
  ] as const
  const bytes = Buffer.concat([...good])

  test('passes on the same bytes, however they arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
        const ends = [...cuts, bytes.length].sort((a, b) => a - b)
        const passed: Buffer[] = []
        const { read } = createMessageReader(() => {})
        let from = 0
        for (const end of ends) {
          // The socket may use its buffer again.
          const chunk = Buffer.from(bytes.subarray(from, end))
          read(chunk, (whole) => passed.push(Buffer.from(whole)))
          chunk.fill(0)
          from = end
        }
        expect(Buffer.concat(passed).equals(bytes)).toBe(true)
      }),
    )
  })

  test('counts what comes from one request to the next, however often the server is ready', () => {
    const { read, asked } = createMessageReader(() => {})
    const flood = Buffer.concat(Array.from({ length: 1000 }, () => ready))
    const pour = () => {
      for (let times = 0; times < 1000; times++) read(flood, () => {})
    }
    expect(pour).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    for (let times = 0; times < 1000; times++) {
      asked()
      read(flood, () => {})
    }
  })

  test('takes no message of more than 1 MB, at once', () => {
    const announced = (type: string, length: number) => () =>
      createMessageReader(() => {}).read(message(type, Buffer.alloc(0), length), () => {})
    expect(announced('D', 2 ** 20)).not.toThrow()
    expect(announced('D', 2 ** 20 + 1)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    expect(announced('S', 2 ** 20 + 1)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }))
  })

  test('survives whatever is changed in them, at the driver too', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (isLoggedIn, changes) => {
          const changed = Buffer.from(bytes)
          for (const [at, value] of changes) changed[at] = value
          const server = await startHostileServer((socket, phase) => {
            if (phase === 0 && isLoggedIn) socket.write(loggedIn)
            if (phase === (isLoggedIn ? 1 : 0)) socket.end(changed)
          })
          await failureAt(server.url, 500)
          await server.close()
        },
      ),
      { numRuns: 60 },
    )
  })
})
