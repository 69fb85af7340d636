import { createServer, type Socket } from 'node:net'

/** A server that speaks the protocol as far as a test lets it. */
export type HostileServer = { readonly url: string; close(): Promise<void> }

export const message = (type: string, body: Buffer = Buffer.alloc(0), length = body.length + 4): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, body])
}
export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
export const ready = message('Z', Buffer.from('I'))
export const loggedIn = Buffer.concat([message('R', int32(0)), message('K', Buffer.alloc(8, 1)), ready])

/**
 * `answer` is called for the startup packet (`phase` 0) and for each further piece that arrives (1, 2, …).
 */
export async function startHostileServer(
  answer: (socket: Socket, phase: number, received: Buffer) => void,
  query = '',
): Promise<HostileServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let phase = 0
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => answer(socket, phase++, data))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    url: `postgres://marshal:hunter2@127.0.0.1:${port}/postgres${query}`,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A column of an answer: its name, the oid of its type and its text. */
export type Column = readonly [name: string, oid: number, text: string | null]

/** Answers each statement by its name, with rows of whatever content; one that is not listed has no rows. */
export function answerStatements(
  rowsOf: Readonly<Record<string, readonly (readonly Column[])[]>>,
): (socket: Socket, phase: number, received: Buffer) => void {
  const pending = new WeakMap<Socket, string>()
  const written = new WeakMap<readonly (readonly Column[])[], Buffer>()
  return (socket, phase, received) => {
    if (phase === 0) return void socket.write(loggedIn)
    const asked = (pending.get(socket) ?? '') + received.toString('latin1')
    const isWhole = asked.endsWith('S\0\0\0\u0004')
    pending.set(socket, isWhole ? '' : asked)
    if (!isWhole) return
    const rows = rowsOf[/pg_marshal_(\w+)/.exec(asked)?.[1] ?? ''] ?? noRows
    const answer = written.get(rows) ?? answerWith(rows)
    written.set(rows, answer)
    socket.write(answer)
  }
}

const noRows: readonly (readonly Column[])[] = []

function answerWith(rows: readonly (readonly Column[])[]): Buffer {
  const columns = rows[0] ?? []
  const described = columns.map(([column, oid]) =>
    Buffer.concat([
      Buffer.from(`${column}\0`),
      Buffer.alloc(6),
      int32(oid),
      Buffer.from([255, 255, 255, 255, 255, 255, 0, 0]),
    ]),
  )
  const data = rows.map((row) =>
    message(
      'D',
      Buffer.concat([
        Buffer.from([0, row.length]),
        ...row.map(([, , text]) =>
          text === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(text)), Buffer.from(text)]),
        ),
      ]),
    ),
  )
  return Buffer.concat([
    message('1'),
    message('2'),
    columns.length === 0
      ? message('n')
      : message('T', Buffer.concat([Buffer.from([0, columns.length]), ...described])),
    ...data,
    message('C', Buffer.from('SELECT 1\0')),
    ready,
  ])
}

const [bool, bytea, int4, float8, text, texts] = [16, 17, 23, 701, 25, 1009] as const

/** Columns of a process, in the order in which activity.sql lists them. */
const said = {
  leader_pid: null,
  backend_type: 'client backend',
  backend_start: '2026-01-01 10:00:00.123456+00',
  datid: '5',
  usesysid: null,
  application_name: '',
  client_addr: null,
  state: 'idle',
  wait_event_type: null,
  wait_event: null,
  xact_start: null,
  query_start: null,
  state_change: null,
  backend_xid: null,
  backend_xmin: null,
  query_id: null,
  client_port: '-1',
}

/** Text of these columns, with others in the place of some. */
export const saidWith = (over: Readonly<Partial<Record<keyof typeof said, unknown>>>): string =>
  JSON.stringify(Object.values({ ...said, ...over }))

/** Rows of activity.sql: the clock and all pids, then what each says. */
export function activityRows(
  now: string,
  processes: readonly (readonly [pid: number, said: string])[],
): readonly (readonly Column[])[] {
  const columns = (over: Readonly<Record<string, string>>): readonly Column[] =>
    (
      [
        ['pid', int4],
        ['said', text],
        ['query', bytea],
        ['now', float8],
        ['pids', text],
        ['known', text],
      ] as const
    ).map(([name, oid]) => [name, oid, over[name] ?? null])
  return [
    columns({ now, pids: `{${processes.map(([pid]) => pid).join(',')}}`, known: '{}' }),
    ...processes.map(([pid, said]) => columns({ pid: String(pid), said })),
  ]
}

/** Rows that a calm PostgreSQL 18 with one session answers. */
export const goodRows = {
  facts: [
    [
      ['version_num', int4, '180000'],
      ['in_recovery', bool, 'f'],
      ['standby_delay', int4, '30'],
      ['telling_roles', texts, '{}'],
      ['is_aurora', bool, 'f'],
      ['functions', texts, '{}'],
      ['started_at', text, '2026-01-01 09:00:00+00'],
      ['max_connections', int4, '100'],
      ['datid', float8, '5'],
      ['role', text, 'marshal'],
      ['is_superuser', bool, 'f'],
      ['sees_others', bool, 't'],
      ['may_signal', bool, 't'],
      ['may_signal_autovacuum', bool, 'f'],
      ['may_use_reserved', bool, 't'],
      ['reserved_connections', int4, '0'],
      ['superuser_reserved_connections', int4, '3'],
    ],
  ],
  names: [
    [
      ['kind', text, 'database'],
      ['oid', float8, '5'],
      ['name', text, 'postgres'],
      ['is_superuser', bool, 'f'],
    ],
  ],
  activity: activityRows('1767261609.5', [[4711, saidWith({})]]),
} satisfies Record<string, readonly (readonly Column[])[]>

/** Good rows with one column of one statement changed; `null` in its place leaves the column out. */
export function changedRows(
  statement: keyof typeof goodRows,
  name: string,
  column: Column | null,
): Readonly<Record<string, readonly (readonly Column[])[]>> {
  const rows: readonly (readonly Column[])[] = goodRows[statement]
  return {
    ...goodRows,
    [statement]: rows.map((row) => row.flatMap((was) => (was[0] !== name ? [was] : column ? [column] : []))),
  }
}
